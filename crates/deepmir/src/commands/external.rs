//! `deepmir study external`: somebody's copy of a published data set, read and measured.

use std::path::Path;

use anyhow::bail;
use clap::Parser;
use deepmir_study::external::{AiblData, PublishedData, ValdoData};

use crate::cli::{Cli, Common, External, ExternalData, Verb};
use crate::status::ExitStatus;

pub fn run(arguments: &External, common: &Common) -> anyhow::Result<()> {
    let folder = &arguments.folder;
    // The challenge's measures are of outlines, which places do not have.
    let (data, measures): (Box<dyn PublishedData>, _) = match arguments.data {
        ExternalData::Valdo => (Box::new(ValdoData::find(folder)?), ["--profile", "valdo"]),
        ExternalData::Aibl => (Box::new(AiblData::find(folder)?), ["--match", "centre:5"]),
    };
    let out = |name: &str| arguments.output.join(name);
    let (dataset, results) = (out("bids"), out("results"));
    let truth = data.link(&dataset)?;
    if let Some(masks) = &arguments.other {
        data.link_others(masks, &out("other"))?;
    }
    tracing::info!("{} cases of {}", data.names().len(), folder.display());
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
    let evaluate = |predicted: &Path, name: &str, allow_missing| {
        evaluate([&truth, predicted, &out(name)], measures, allow_missing, common)
    };
    evaluate(&results, "evaluation", failed.is_some())?;
    if arguments.other.is_some() {
        say!("the other masks:");
        evaluate(&out("other"), "evaluation-other", false)?;
    }
    match failed {
        Some(words) => Err(ExitStatus::SomeFailed(words).into()),
        None => Ok(()),
    }
}

/// Measures of microbleeds, these data having no other lesions.
fn evaluate(
    [truth, predicted, output]: [&Path; 3],
    measures: [&str; 2],
    allow_missing: bool,
    common: &Common,
) -> anyhow::Result<()> {
    let evaluate = parsed(&[
        &["evaluate", "--truth", text(truth)?, "--pred", text(predicted)?],
        &["-o", text(output)?, "--classes", "CMB"],
        &measures,
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
