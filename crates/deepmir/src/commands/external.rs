//! `deepmir study external`: somebody's copy of a published data set, read and measured.

use std::path::Path;

use anyhow::bail;
use clap::Parser;
use deepmir_study::external::ValdoData;

use crate::cli::{Cli, Common, External, ExternalData, Verb};
use crate::status::ExitStatus;

pub fn run(arguments: &External, common: &Common) -> anyhow::Result<()> {
    let ExternalData::Valdo = arguments.data;
    let data = ValdoData::find(&arguments.folder)?;
    let out = |name: &str| arguments.output.join(name);
    let (dataset, results) = (out("bids"), out("results"));
    let truth = data.link(&dataset)?;
    if let Some(masks) = &arguments.other {
        data.link_others(masks, &out("other"))?;
    }
    tracing::info!("{} cases of {}", data.count(), arguments.folder.display());
    let run = parsed(&[
        &["run"],
        &[text(&dataset)?, text(&results)?, "participant"],
        &["--model", &arguments.model],
        // T1 and T2 of the challenge are NaN outside the brain.
        &["--nan-to-zero"],
    ])?;
    let Verb::Run(run) = run else { bail!("`run` is a verb") };
    let failed = match super::run::run(&run, common).map_err(|error| error.downcast::<ExitStatus>())
    {
        Ok(()) => None,
        Err(Ok(ExitStatus::SomeFailed(words))) => Some(words),
        Err(Ok(other)) => return Err(other.into()),
        Err(Err(error)) => return Err(error),
    };
    evaluate(&truth, &results, &out("evaluation"), failed.is_some(), common)?;
    if arguments.other.is_some() {
        say!("the other masks:");
        evaluate(&truth, &out("other"), &out("evaluation-other"), false, common)?;
    }
    match failed {
        Some(words) => Err(ExitStatus::SomeFailed(words).into()),
        None => Ok(()),
    }
}

/// The challenge's measures of microbleeds, the challenge having no other lesions.
fn evaluate(
    truth: &Path,
    predicted: &Path,
    output: &Path,
    allow_missing: bool,
    common: &Common,
) -> anyhow::Result<()> {
    let evaluate = parsed(&[
        &["evaluate", "--truth", text(truth)?, "--pred", text(predicted)?],
        &["-o", text(output)?, "--profile", "valdo", "--classes", "CMB"],
        if allow_missing { &["--allow-missing"] } else { &[] },
    ])?;
    let Verb::Evaluate(evaluate) = evaluate else { bail!("`evaluate` is a verb") };
    super::evaluate::run(&evaluate, common)
}

fn parsed(words: &[&[&str]]) -> anyhow::Result<Verb> {
    Ok(Cli::try_parse_from([&["deepmir"], &words.concat()[..]].concat())?.verb)
}

fn text(path: &Path) -> anyhow::Result<&str> {
    match path.to_str() {
        Some(text) => Ok(text),
        None => bail!("a path in UTF-8 is wanted here; choose another: {}", path.display()),
    }
}
