//! `deepmir view`.

use deepmir_annotate::Dataset;
use deepmir_annotate::server::{Options, serve};

use super::annotate::find_regions;
use crate::cli::View;

pub fn run(arguments: &View) -> anyhow::Result<()> {
    let View { results, only, listen } = arguments;
    listen.check()?;
    let dataset = Dataset::from_results(results, &only.participant_label, &only.session_label)?;
    let scans = dataset.cases.len();
    let options = Options {
        dataset,
        rater: Some("viewer".to_owned()),
        host: listen.host,
        port: listen.port,
        find_regions: Some(find_regions()),
    };
    serve(options, |url| {
        say!("{url}");
        let scans = if scans == 1 { "1 scan".to_owned() } else { format!("{scans} scans") };
        tracing::info!("{scans}; open this address in a browser; stop with Ctrl-C");
    })?;
    Ok(())
}
