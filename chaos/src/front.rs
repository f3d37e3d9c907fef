//! A real nginx in front of several gateways, as a load balancer would be.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::Context as _;

/// Passes requests on to gateways in turn. It ends when this is dropped.
pub struct Front {
    address: SocketAddr,
    child: Child,
}

impl Front {
    /// In front of these. Its files go into the folder.
    ///
    /// # Errors
    /// There is no nginx, or no port.
    pub fn start(folder: &Path, gateways: &[SocketAddr]) -> anyhow::Result<Self> {
        let folder = fs::canonicalize(folder)?;
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let conf = folder.join("nginx.conf");
        fs::write(&conf, configuration(&folder, address, gateways))?;
        // Debian has it where only root looks.
        let sbin = Path::new("/usr/sbin/nginx");
        let mut nginx = Command::new(if sbin.exists() { sbin } else { Path::new("nginx") });
        nginx
            .arg("-p")
            .arg(&folder)
            .arg("-c")
            .arg(&conf)
            .args(["-e", "nginx.log"]);
        nginx.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = nginx
            .spawn()
            .context("there is no nginx: apt-get install nginx-light")?;
        Ok(Self { address, child })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A request that has gone out to one gateway is given to no other; one that found none there is.
fn configuration(folder: &Path, address: SocketAddr, gateways: &[SocketAddr]) -> String {
    let servers = gateways
        .iter()
        .map(|gateway| format!("    server {gateway} max_fails=1 fail_timeout=1s;\n"));
    let servers = servers.collect::<Vec<_>>().concat();
    let folder = folder.display();
    format!(
        "daemon off;\nmaster_process off;\npid {folder}/nginx.pid;\nerror_log {folder}/nginx.log;\n\
         events {{ worker_connections 1024; }}\nhttp {{\n  access_log off;\n  client_body_temp_path {folder}/body;\n  \
         proxy_temp_path {folder}/proxy;\n  fastcgi_temp_path {folder}/fastcgi;\n  uwsgi_temp_path {folder}/uwsgi;\n  \
         scgi_temp_path {folder}/scgi;\n  upstream gateways {{\n{servers}    keepalive 32;\n  }}\n  server {{\n    \
         listen {address};\n    location / {{\n      proxy_pass http://gateways;\n      proxy_http_version 1.1;\n      \
         proxy_set_header Connection \"\";\n      proxy_set_header Host $host;\n      proxy_buffering off;\n      \
         proxy_request_buffering off;\n      proxy_connect_timeout 1s;\n      proxy_read_timeout 60s;\n    }}\n  }}\n}}\n"
    )
}
