//! Arguments of `deepmir model train-anatomy`.

use std::path::PathBuf;

use clap::Args;

/// What the network of `deepmir anatomy` is trained on, and where.
#[derive(Debug, Args)]
pub struct TrainAnatomy {
    /// Label maps of whole heads in FreeSurfer's numbers, or folders of them
    #[arg(long, value_name = "FILE|DIR", num_args = 1..)]
    pub heads: Vec<PathBuf>,
    /// Heads of the built-in anatomy to train on, from young to atrophic
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub built_in: u16,
    /// Steps of one example each [default: 10000, or that of the config file]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub steps: Option<u64>,
    /// Folder for the checkpoint and the weights
    #[arg(short, long, value_name = "DIR")]
    pub output: PathBuf,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;
    use deepmir_anatomy::train::TrainingConfig;

    use crate::cli::Cli;

    #[test]
    fn help_names_the_default_number_of_steps() {
        let mut command = Cli::command();
        let model = command.find_subcommand_mut("model").unwrap();
        let help = model.find_subcommand_mut("train-anatomy").unwrap().render_help().to_string();
        let steps = TrainingConfig::default().steps;
        assert!(help.contains(&format!("[default: {steps}, or that")), "{steps} in {help}");
    }
}
