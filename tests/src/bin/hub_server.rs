//! `hub_server PORT [models/ORG/NAME=DIR …]`: the tests' hub on its own, for other clients
//! (`HF_ENDPOINT=http://127.0.0.1:PORT`). Ends when its standard input does.

use std::path::Path;

use anyhow::{Context, Result};
use luthier_tests::hub_server::HubServer;

fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let port = args.next().context("usage: hub_server PORT [models/ORG/NAME=DIR …]")?.parse()?;
    let server = HubServer::start_on(port)?;
    for arg in args {
        let (repository, dir) = arg.split_once('=').context("expected models/ORG/NAME=DIR")?;
        server.commit_dir(repository, Path::new(dir))?;
    }
    eprintln!("{}", server.endpoint());
    std::io::copy(&mut std::io::stdin(), &mut std::io::sink())?;
    Ok(())
}
