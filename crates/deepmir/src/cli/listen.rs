//! Where a page is served.

use std::net::IpAddr;

use clap::Args;

/// The address that a page is served on.
#[derive(Clone, Debug, Args)]
pub struct Listen {
    /// Port to listen on [default: a free one]
    #[arg(long, value_name = "P", default_value_t = 0, hide_default_value = true)]
    pub port: u16,
    /// Address to listen on; any but a loopback address needs --i-understand
    #[arg(long, value_name = "IP", default_value = "127.0.0.1")]
    pub host: IpAddr,
    /// Accept that whoever is on the network and has the address can read images and names
    #[arg(long)]
    pub i_understand: bool,
}

impl Listen {
    /// Refuses an address that others can reach, unless that is meant.
    pub fn check(&self) -> anyhow::Result<()> {
        if self.host.is_loopback() || self.i_understand {
            return Ok(());
        }
        anyhow::bail!(
            "--host {} exposes this page to the network; images and names of subjects are sent unencrypted. Add \
             --i-understand if that is allowed, or use a tunnel: ssh -L PORT:127.0.0.1:PORT HOST",
            self.host
        );
    }
}
