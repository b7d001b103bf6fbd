//! Arguments of `deepmir anatomy`.

use std::path::PathBuf;

use clap::Args;

use super::sections::sections;

/// Parcellate heads in images of any contrast, and mask the brain.
///
/// Takes T1-, T2- and T2*-weighted images, SWI, FLAIR or susceptibility maps, of the whole head or of the
/// brain alone, in any orientation and of any voxel size. Each image is parcellated by itself: nothing is
/// registered, and no other image is needed. The label map has FreeSurfer's numbers and is on the image's own
/// grid; volumes, a picture and a verdict on whether to trust it come with it.
#[derive(Debug, Args)]
#[command(after_long_help = sections(&[
    ("Examples", "  deepmir anatomy sub-01_T1w.nii.gz -o results
  deepmir anatomy BIDS/sub-*/anat/*_T2starw.nii.gz -o results --threads 4"),
    ("Files", "  STEM stands for the image's name without its ending.

  STEM_desc-anatomy_dseg.nii.gz   label map in FreeSurfer's numbers
  STEM_desc-anatomy_dseg.tsv      its numbers, with names, sides, volumes and colours
  STEM_desc-brain_mask.nii.gz     brain mask: parenchyma, ventricles and narrow sulci
  STEM_desc-anatomy_volumes.tsv   all volumes in one row, to be joined with those of other images
  STEM_desc-anatomy.png           slices in three directions, structures in colour
  STEM_desc-anatomy.json          verdict with reasons, entropy, volumes, symmetry, where the field
                                  cuts the brain, warnings, checksum of the image

  An image that is refused has the JSON file alone."),
    ("Exit status", "  0  success
  1  the command or its input is wrong, or no image could be used; the message names the remedy
  2  internal error
  3  some images failed, each of them is named; the others are done"),
]))]
pub struct Anatomy {
    /// Images of heads (NIfTI, 3D)
    #[arg(value_name = "IMAGE", required = true)]
    pub images: Vec<PathBuf>,
    /// Folder for the results
    #[arg(short, long, value_name = "DIR")]
    pub output: PathBuf,
    /// Weights of another network, made by `deepmir model train-anatomy` [default: those in the program]
    #[arg(long, value_name = "FILE")]
    pub weights: Option<PathBuf>,
    /// Read NaN and infinite voxels as zero instead of refusing the file
    #[arg(long)]
    pub nan_to_zero: bool,
    /// Refuse an image about which there is any warning, and write no result for it
    #[arg(long)]
    pub strict: bool,
    /// Write over results of another image in the folder
    #[arg(long)]
    pub overwrite: bool,
}
