//! A real nginx for tests, with a site's file as it is shipped and nginx's own defaults for all else.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(30);

/// Listens on a port of its own until it is dropped.
#[derive(Debug)]
pub struct Nginx {
    address: SocketAddr,
    child: Child,
    _folder: TempDir,
}

impl Nginx {
    /// With this site's text. `listen 80;` becomes a free port, and `127.0.0.1:8080` the gateway's address.
    ///
    /// # Panics
    ///
    /// Where the text has neither, or there is no nginx.
    pub fn start(site: &str, gateway: SocketAddr) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let address = free();
        let mut text = site.to_owned();
        for (from, to) in [
            ("listen 80;", format!("listen {address};")),
            ("127.0.0.1:8080", gateway.to_string()),
        ] {
            assert!(text.contains(from), "the site has no `{from}`");
            text = text.replace(from, &to);
        }
        let conf = folder.path().join("nginx.conf");
        fs::write(&conf, configuration(folder.path(), &text)).unwrap();
        let child = program()
            .arg("-p")
            .arg(folder.path())
            .arg("-c")
            .arg(&conf)
            .args(["-e", "nginx.log"])
            .stdin(Stdio::null())
            .spawn();
        assert!(
            child.is_ok(),
            "there is no nginx, which scripts/test installs: {child:?}"
        );
        let nginx = Self {
            address,
            child: child.unwrap(),
            _folder: folder,
        };
        let began = Instant::now();
        while TcpStream::connect(address).is_err() {
            assert!(began.elapsed() < PATIENCE, "nginx does not listen");
            sleep(Duration::from_millis(10));
        }
        nginx
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What nginx needs to run without its own folders, and no setting that a site would feel.
fn configuration(folder: &Path, site: &str) -> String {
    let folder = folder.display();
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("  {name}_temp_path {folder}/{name};\n"))
        .concat();
    format!(
        "daemon off;\nmaster_process off;\npid {folder}/nginx.pid;\nerror_log {folder}/nginx.log;\n\
         events {{ worker_connections 256; }}\nhttp {{\n  access_log off;\n{temporary}{site}\n}}\n"
    )
}

/// Debian has it where only root looks.
fn program() -> Command {
    let sbin = Path::new("/usr/sbin/nginx");
    Command::new(if sbin.exists() { sbin } else { Path::new("nginx") })
}

fn free() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap()
}
