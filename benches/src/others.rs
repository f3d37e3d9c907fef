//! What a user would otherwise pick, as a command each: nginx forwarding, a handler in Node, a handler in Python. What is
//! not there is not measured, and the tables say why.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use tokio::process::Command;

use crate::machine::version;
use crate::pinning::Pinning;

/// What every one of them is told.
#[derive(Debug)]
pub struct Place<'a> {
    /// Where to listen.
    pub listen: SocketAddr,
    /// The vendor, without a path.
    pub vendor: SocketAddr,
    /// The vendor's key.
    pub key: &'a str,
    /// A folder of its own.
    pub folder: &'a Path,
    /// Where Node's modules and Python's environment are installed.
    pub installed: &'a Path,
    /// Which core.
    pub pinning: Pinning,
}

/// A command, or why there is none.
pub type Found = Result<Command, String>;

impl Place<'_> {
    /// nginx with one worker and nothing but forwarding.
    ///
    /// # Errors
    /// The folder cannot be written to.
    pub fn nginx(&self) -> anyhow::Result<Found> {
        let Some(nginx) = ["nginx", "/usr/sbin/nginx"]
            .into_iter()
            .find(|name| version(name, "-v").is_some())
        else {
            return Ok(Err("no nginx, and it could not be installed".to_owned()));
        };
        let file = self.folder.join("nginx.conf");
        fs::write(&file, self.nginx_conf())?;
        let mut command = self.pinning.command(Path::new(nginx));
        command
            .arg("-p")
            .arg(self.folder)
            .arg("-c")
            .arg(&file)
            .args(["-e", "stderr"]);
        Ok(Ok(command))
    }

    fn nginx_conf(&self) -> String {
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
        let folder = self.folder.display();
        let temporary = temporary.map(|name| format!("{name}_temp_path {folder}/nginx-{name};"));
        format!(
            "worker_processes 1;\ndaemon off;\nmaster_process off;\npid {folder}/nginx.pid;\n\
             events {{ worker_connections 4096; }}\n\
             http {{\naccess_log off;\n{}\n\
             upstream vendor {{ server {}; keepalive 1024; keepalive_requests 1000000000; }}\n\
             server {{\nlisten {};\nkeepalive_requests 1000000000;\n\
             location = /livez {{ return 200 ok; }}\n\
             location = /v1/customers {{\nproxy_http_version 1.1;\nproxy_set_header Connection \"\";\n\
             proxy_set_header x-api-key {};\nproxy_set_header x-merchant-id m-1;\n\
             proxy_pass http://vendor/customers/add-update;\n}}\n}}\n}}\n",
            temporary.join("\n"),
            self.vendor,
            self.listen,
            self.key
        )
    }

    /// fastify and undici.
    pub fn node(&self) -> Found {
        if version("node", "--version").is_none() {
            return Err("no node".to_owned());
        }
        let server = self.installed.join("node/server.js");
        if !server.exists() || !self.installed.join("node/node_modules/fastify").exists() {
            return Err("no npm, or it could not install what the handler needs".to_owned());
        }
        let mut command = self.pinning.command(Path::new("node"));
        command.env("NODE_ENV", "production").arg(server);
        command.arg(self.listen.port().to_string());
        command.args([&format!("http://{}", self.vendor), self.key]);
        Ok(command)
    }

    /// FastAPI and httpx under uvicorn, one worker.
    pub fn fastapi(&self) -> Found {
        let folder = self.installed.join("fastapi");
        let python = folder.join("venv/bin/python");
        if !python.exists() || !folder.join("server.py").exists() {
            return Err("no python3, or pip could not install what the handler needs".to_owned());
        }
        let mut command = self.pinning.command(&python);
        command.args(["-m", "uvicorn", "server:app", "--app-dir"]).arg(folder);
        command.args(["--host", "127.0.0.1", "--port", &self.listen.port().to_string()]);
        command.args(["--workers", "1", "--no-access-log", "--log-level", "warning"]);
        command
            .env("VENDOR", format!("http://{}", self.vendor))
            .env("KEY", self.key);
        Ok(command)
    }

    /// One of ours that is written by hand ([`crate::by_hand::Arguments`]).
    pub fn by_hand(&self, program: &Path) -> Command {
        let mut command = self.pinning.command(program);
        command.args(["--listen", &self.listen.to_string(), "--key", self.key]);
        command.args(["--vendor", &format!("http://{}", self.vendor)]);
        command.arg("--store").arg(self.folder.join("by-hand.db"));
        command
    }
}

/// Where `scripts/bench` installs what Node and Python need, beside the folder of the programs.
pub fn installed_beside(programs: &Path) -> PathBuf {
    programs.with_file_name("bench-others")
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::by_hand;

    fn place(folder: &Path) -> Place<'_> {
        Place {
            listen: ([127, 0, 0, 1], 4100).into(),
            vendor: ([127, 0, 0, 1], 4101).into(),
            key: "k",
            folder,
            installed: folder,
            pinning: Pinning::None,
        }
    }

    #[test]
    fn what_is_not_installed_is_told_and_not_started() {
        let folder = tempfile::tempdir().unwrap();
        assert!(place(folder.path()).fastapi().unwrap_err().contains("pip"));
        assert!(place(folder.path()).node().is_err());
    }

    #[test]
    fn the_handlers_by_hand_take_what_they_are_given() {
        let folder = tempfile::tempdir().unwrap();
        let command = place(folder.path()).by_hand(Path::new("bare"));
        let command = command.as_std();
        let words = [command.get_program()].into_iter().chain(command.get_args());
        let read = by_hand::Arguments::try_parse_from(words).unwrap();
        assert_eq!((read.listen.port(), read.key.as_str()), (4100, "k"));
    }

    #[test]
    fn nginx_forwards_to_the_vendor_and_does_nothing_else() {
        let conf = place(Path::new("f")).nginx_conf();
        for line in ["listen 127.0.0.1:4100;", "server 127.0.0.1:4101;", "access_log off;"] {
            assert!(conf.contains(line), "{conf}");
        }
        assert_eq!(conf.matches('{').count(), conf.matches('}').count());
    }
}
