//! Arguments of `deepmir model`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::implanted::Implanted;
use super::labels::Labels;
use super::sections::{EXIT_STATUS, sections};
use super::train_anatomy::TrainAnatomy;

/// List, describe, verify, copy, export, import and fine-tune models.
///
/// A model is a folder with model.toml and its weights, or the same in one .deepmir file. Shipped models
/// are known by their names; `default` is the recommended one. The network of `deepmir anatomy` is apart from
/// them.
#[derive(Debug, Subcommand)]
#[command(after_long_help = sections(&[(
    "Examples",
    "  deepmir model list
  deepmir model info default
  deepmir model export default -o onnx
  deepmir model import unet.onnx --plan plan.toml -o lab.deepmir
  deepmir model tune default MY_SCANS -o mine.deepmir
  deepmir model adapt default MY_SCANS -o mine.deepmir",
)]))]
pub enum Model {
    /// List the shipped models.
    ///
    /// Prints name, input modalities (in parentheses those that may be missing), classes, size and
    /// description of each.
    List,
    /// Print a model's settings and provenance.
    ///
    /// Prints number of parameters, checksum, input modalities, classes, detection thresholds, the features
    /// that its candidate classifier uses most, training and validation subjects, and terms of use.
    #[command(after_long_help = sections(&[(
        "Examples",
        "  deepmir model info
  deepmir model info mine.deepmir",
    )]))]
    Info {
        /// Name of a shipped model, or a model's folder or .deepmir file
        #[arg(value_name = "MODEL", default_value = "default")]
        model: String,
    },
    /// Check a model's checksums, and that it runs on this machine
    #[command(after_long_help = sections(&[
        ("Examples", "  deepmir model verify
  deepmir model verify mine.deepmir --device gpu:0"),
        EXIT_STATUS,
    ]))]
    Verify {
        /// Name of a shipped model, or a model's folder or .deepmir file
        #[arg(value_name = "MODEL", default_value = "default")]
        model: String,
    },
    /// Copy a model into one .deepmir file, or into a folder
    #[command(after_long_help = sections(&[(
        "Examples",
        "  deepmir model copy folds/model mine.deepmir --name mine --licence CC-BY-4.0
  deepmir model copy default unpacked",
    )]))]
    Copy {
        /// Name of a shipped model, or a model's folder or .deepmir file
        #[arg(value_name = "MODEL")]
        model: String,
        /// Destination; a name that ends in .deepmir makes a file, any other a folder
        #[arg(value_name = "PATH")]
        output: PathBuf,
        /// Name of the copy
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
        /// Description of the copy, in a sentence or two
        #[arg(long, value_name = "TEXT")]
        description: Option<String>,
        /// Terms of use of the copy, as an SPDX expression
        #[arg(long, value_name = "SPDX")]
        licence: Option<String>,
    },
    /// Write a model's networks as ONNX files, for other programs.
    ///
    /// Each network of the ensemble and of the patch classifier becomes a file, with plan, thresholds and classes as
    /// its properties. The script run.py needs numpy, nibabel and onnxruntime and makes the same probability maps as
    /// `deepmir predict`. The candidate classifier is no network and is left out: it decides what is a lesion, so the
    /// maps alone are not the model's result.
    #[command(after_long_help = sections(&[
        ("Examples", "  deepmir model export default -o onnx
  python onnx/run.py --swi SWI.nii.gz --mask brain.nii.gz -o maps"),
        ("Files", "  DIR/unet.onnx, DIR/unet-1.onnx, ...    networks that make probability maps of slices
  DIR/patch-classifier-1.onnx, ...       networks that classify the images around a candidate
  DIR/plan.json                          preprocessing, classes, thresholds and provenance
  DIR/run.py                             from NIfTI images to probability maps
  DIR/README.md                          model card with the head that model hubs read
  DIR/configs/metadata.json              metadata of a MONAI bundle"),
        EXIT_STATUS,
    ]))]
    Export {
        /// Name of a shipped model, or a model's folder or .deepmir file
        #[arg(value_name = "MODEL")]
        model: String,
        /// Folder to make
        #[arg(short, long, value_name = "DIR")]
        output: PathBuf,
    },
    /// Make a model of another laboratory's networks (ONNX).
    ///
    /// The networks become the first stage: `deepmir predict`, `run` and `evaluate` use the model as any other. Several
    /// files are an ensemble, of which the median counts. PLAN is a TOML file that says which images the networks take,
    /// how these are preprocessed, and what the outputs are (docs/exchange.md). Each network is run once before the model is
    /// written. `deepmir model adapt` then fits a candidate classifier, on labelled scans that the networks did not learn
    /// from. Networks run on the processor.
    #[command(after_long_help = sections(&[
        ("Examples", "  deepmir model import unet.onnx --plan plan.toml -o lab.deepmir
  deepmir model adapt lab.deepmir MY_SCANS -o adapted.deepmir
  deepmir predict --swi SWI.nii.gz --model adapted.deepmir -o OUT"),
        EXIT_STATUS,
    ]))]
    Import {
        /// ONNX files with their weights inside
        #[arg(value_name = "NETWORK", required = true)]
        networks: Vec<PathBuf>,
        /// Description of the networks: name, [plan], [onnx] and perhaps [detection]
        #[arg(long, value_name = "FILE")]
        plan: PathBuf,
        /// Where to write the model; a name that ends in .deepmir makes a file, any other a folder
        #[arg(short, long, value_name = "PATH")]
        output: PathBuf,
    },
    /// Choose a model's detection thresholds on labelled scans; train nothing.
    ///
    /// Use it for scans of another scanner or protocol. Runs the model on the scans and chooses for each
    /// class the threshold with the best F-measure over their lesions. Networks, candidate classifier and
    /// patch classifier are kept. Prints sensitivity, precision and false positives per scan before and
    /// after. A class with fewer than 10 lesions keeps its threshold. Leave out some subjects to test the new
    /// thresholds on.
    #[command(after_long_help = sections(&[
        ("Examples", "  deepmir model tune default MY_SCANS
  deepmir model tune default MY_SCANS -o mine.deepmir --beta 1"),
        EXIT_STATUS,
    ]))]
    Tune(Tune),
    /// Fine-tune the candidate classifier on labelled or implanted scans; keep the original if cross-validation
    /// shows no gain.
    ///
    /// A model without one, such as an imported network, gets its first.
    ///
    /// Use it for scans of another scanner or protocol. Warm-starts the candidate classifier: boosting
    /// continues from its trees on the candidates of the scans. Cross-validation over the scans decides
    /// whether the result replaces the original. Then chooses detection thresholds as `deepmir model tune`
    /// does. Networks and patch classifier are kept. Needs at least two scans.
    ///
    /// With --implant it learns from lesions implanted in the scans, which need no labels. Thresholds are then those
    /// at which it makes as many calls beside the implants as before, and the original is kept unless it finds more
    /// implants at these.
    #[command(after_long_help = sections(&[
        ("Examples", "  deepmir model adapt default MY_SCANS
  deepmir model adapt default MY_SCANS -o mine.deepmir --name mine
  deepmir model adapt default MY_SCANS -o mine.deepmir --implant 4"),
        EXIT_STATUS,
    ]))]
    Adapt(Adapt),
    /// Measure the range of scans that a model was trained on.
    ///
    /// A prediction warns of scans outside it. `deepmir train` measures most of it; this command does so for models of
    /// earlier versions, and also measures how often networks and candidate classifier disagree. Prints the range.
    #[command(after_long_help = sections(&[
        ("Examples", "  deepmir model range old.deepmir TRAINING_SCANS -o new.deepmir"),
        EXIT_STATUS,
    ]))]
    Range(MeasureRange),
    /// Train the network of `deepmir anatomy` on label maps.
    ///
    /// Draws examples of every contrast, resolution and fault of images from label maps of whole heads and trains on them;
    /// no measured image is needed. The same command continues a training that was interrupted; with other heads
    /// or settings it is refused, but for the number of steps. The table [training] in the file of --config sets
    /// what the options do not: see docs/anatomy.md.
    #[command(after_long_help = sections(&[
        ("Examples", "  deepmir model train-anatomy --built-in 16 -o anatomy
  deepmir model train-anatomy --heads MAPS --built-in 16 --steps 6000 -o anatomy
  deepmir anatomy T1w.nii.gz --weights anatomy/anatomy.safetensors -o results"),
        ("Files", "  DIR/anatomy.safetensors      the weights, in half precision, for `deepmir anatomy --weights`
  DIR/training.toml            heads and settings of the training
  DIR/progress.tsv             loss and Dice of each structure, every 25 steps
  DIR/checkpoint.safetensors   what the training continues from, written every 100 steps"),
        ("Exit status", "  0    success
  1    the command or its input is wrong; the message names the remedy
  2    internal error
  130  interrupted; the same command continues"),
    ]))]
    TrainAnatomy(TrainAnatomy),
}

#[derive(Debug, Args)]
pub struct MeasureRange {
    /// Name of a shipped model, or a model's folder or .deepmir file
    #[arg(value_name = "MODEL")]
    pub model: String,
    /// Labelled scans that it was trained on, or scans of the same kind: BIDS datasets, or CSV or TSV tables
    #[arg(value_name = "DATA", required = true)]
    pub data: Vec<PathBuf>,
    /// Where to write the model with the range; a name that ends in .deepmir makes a file [default: only print the range]
    #[arg(short, long, value_name = "PATH")]
    pub output: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct Adapt {
    #[command(flatten)]
    pub tune: Tune,
    #[command(flatten)]
    pub implanted: Implanted,
}

#[derive(Debug, Args)]
pub struct Tune {
    /// Name of a shipped model, or a model's folder or .deepmir file
    #[arg(value_name = "MODEL")]
    pub model: String,
    /// Scans with label maps that the model was not trained on: BIDS datasets, or CSV or TSV tables
    /// with the columns id, truth, swi, qsm, t2w
    #[arg(value_name = "DATA", required = true)]
    pub data: Vec<PathBuf>,
    /// Where to write the new model; a name that ends in .deepmir makes a file [default: only print
    /// results]
    #[arg(short, long, value_name = "PATH")]
    pub output: Option<PathBuf>,
    /// Weight of a missed lesion relative to a false positive, the beta of the F-measure
    #[arg(long, value_name = "BETA", default_value_t = 1.5)]
    pub beta: f64,
    /// Folder of the dataset's label maps [default: the only one in its derivatives]
    #[arg(long, value_name = "DIR")]
    pub labels: Option<PathBuf>,
    // Keep others to test the new thresholds on.
    #[command(flatten)]
    pub only: Labels,
    /// Table of subjects that are one patient: participant_id and patient [default: the column patient, subject
    /// or group of DATA]
    #[arg(long, value_name = "FILE")]
    pub groups: Option<PathBuf>,
    /// Name of the new model [default: the old one with -tuned or -adapted]
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Read NaN and infinite voxels as zero instead of refusing the file
    #[arg(long)]
    pub nan_to_zero: bool,
}
