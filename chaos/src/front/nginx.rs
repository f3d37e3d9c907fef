//! nginx.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};

use super::program;

pub(super) fn command(folder: &Path, address: SocketAddr, gateways: &[SocketAddr]) -> anyhow::Result<Command> {
    let conf = folder.join("nginx.conf");
    fs::write(&conf, configuration(folder, address, gateways))?;
    let mut nginx = program("nginx");
    nginx
        .arg("-p")
        .arg(folder)
        .arg("-c")
        .arg(&conf)
        .args(["-e", "nginx.log"]);
    nginx.stdout(Stdio::null()).stderr(Stdio::null());
    Ok(nginx)
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
