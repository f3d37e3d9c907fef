//! The programs that are measured.

/// Which program is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// The bare handler: M.
    Bare,
    /// nginx, forwarding only.
    Nginx,
    /// The bare handler with a store, a transaction each.
    Durable,
    /// The handler in Node.
    Node,
    /// The handler in Python.
    FastApi,
    /// The gateway.
    Gateway,
}

impl Program {
    /// All, the yardstick first.
    pub const ALL: [Self; 6] = [
        Self::Bare,
        Self::Nginx,
        Self::Node,
        Self::FastApi,
        Self::Durable,
        Self::Gateway,
    ];

    /// Its name in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bare => "bare",
            Self::Nginx => "nginx",
            Self::Durable => "durable",
            Self::Node => "node",
            Self::FastApi => "fastapi",
            Self::Gateway => "gateway",
        }
    }

    /// Its name in tables.
    pub fn title(self) -> &'static str {
        match self {
            Self::Bare => "bare handler (M): actix-web + reqwest",
            Self::Nginx => "nginx, forwarding only",
            Self::Durable => "bare handler + SQLite, a transaction each",
            Self::Node => "Node: fastify + undici, no store",
            Self::FastApi => "Python: FastAPI + httpx, no store",
            Self::Gateway => "gateway",
        }
    }
}
