//! Arguments of `deepmir predict`.

use std::path::PathBuf;

use clap::Args;

use super::recon::RawFiles;
use super::sections::{EXIT_STATUS, sections};

/// Find lesions in one subject's images.
///
/// Give the SWI, and QSM and T2w where you have them, all on one grid; or raw echoes, from which SWI and
/// QSM are reconstructed first and to which T2w is aligned. Images are skull-stripped with zeros outside
/// the brain, or come with --mask; in whole heads without one, a network outlines the brain.
#[derive(Debug, Args)]
#[command(after_long_help = sections(&[
    ("Examples", "  deepmir predict --swi SWI.nii.gz --qsm QSM.nii.gz --t2w T2w.nii.gz -o results
  deepmir predict --swi SWI.nii.gz --mask brain.nii.gz -o results
  deepmir predict --dicom EXPORT -o results
  deepmir predict --mag echo*_mag.nii.gz --phase echo*_phase.nii.gz --t2w T2w.nii.gz -o results"),
    ("Files", "  SCAN stands for the BIDS name of the scan (sub-01_ses-1), IMAGE for that of the SWI without its
  suffix (sub-01_ses-1_acq-swi); if the SWI has another name, both are that. Maps are on the SWI's
  own grid.

  IMAGE_seg-lesions_dseg.nii.gz      label map: 1 CMB, 2 NHID
  IMAGE_seg-lesions_dseg.tsv         names of the labels
  IMAGE_seg-lesions_dseg.json        model, settings, checksums of the inputs, counts
  IMAGE_seg-instances_dseg.nii.gz    instance map: each lesion's number in the lesion table, which
                                     keeps lesions apart that touch
  IMAGE_seg-instances_dseg.tsv       names of the instances
  IMAGE_seg-lesions_label-CMB_probseg.nii.gz
  IMAGE_seg-lesions_label-NHID_probseg.nii.gz
                                     probability of each class at each voxel
  SCAN_desc-lesions.tsv              lesion table (below)
  SCAN_desc-lesions_candidates.tsv   every candidate that the candidate classifier scored: number,
                                     class, position, volume, probability in the maps, probability
                                     of being a lesion, and whether it was accepted as one
  SCAN_desc-lesions_candidates.nii.gz
                                     label map of the candidates' numbers
  SCAN_desc-lesions_large.tsv        findings that are not counted: macrobleed (longer than 10 mm)
                                     or large (a rejected candidate of 100 mm³, or a dark region of
                                     8 mm), with position, size and measures
  SCAN_desc-lesions_large.nii.gz     label map of these findings' numbers
  SCAN_desc-lesions_mosaic.png       slices with the lesions outlined
  SCAN_desc-lesions_report.html      every lesion in three planes, measures, methods, provenance
  SCAN_desc-lesions_qc.json          brain volume, signal-to-noise ratio, similarity of SWI and T2w

  With --viewer-files (docs/exchange.md):

  SCAN_desc-lesions_itksnap.label    names and colours of the labels, for ITK-SNAP
  SCAN_desc-lesions_slicer.ctbl      the same, for 3D Slicer
  SCAN_desc-lesions_freesurfer.txt   the same, for FreeSurfer
  SCAN_desc-lesions.mrk.json         lesions as points, for 3D Slicer: number, class, probability

  From raw echoes, the maps of `deepmir recon` too."),
    ("Lesion table", "  Tab-separated, one row per lesion; n/a where there is no value.

  lesion_id           from 1; CMB before NHID, larger before smaller
  class               CMB or NHID
  certainty           definite (lesion_probability of at least 0.7) or possible
  region              lobar, deep or infratentorial
  mars_region         one of the 13 regions of MARS; n/a without a parcellation, as the next two
  lobe                frontal, parietal, temporal, occipital or insula
  side                left or right
  x_mm, y_mm, z_mm    centre of mass, RAS+
  volume_mm3          volume
  diameter_mm         diameter of the ball of that volume
  bombs_size          size of a CMB on BOMBS: <5 or 5-10 mm
  n_voxels            voxels
  mean_probability    mean probability of the class in the lesion
  max_probability     highest probability of the class in the lesion
  chi_mean_ppm        mean susceptibility
  chi_total_ppm_mm3   susceptibility summed over the volume
  swi_contrast        SWI over that of a 2 mm shell around the lesion, less one; negative is darker
  t2w_contrast        the same of T2w
  sphericity          1 for a ball
  note                diamagnetic (a possible calcification), linear (vessel-like),
                      touches_mask_edge
  lesion_probability  probability of being a lesion, by models with a candidate classifier
  chi_positive_mean_ppm, chi_negative_mean_ppm
                      mean paramagnetic and diamagnetic susceptibility, with --r2, --r2-share or
                      if *_paramagneticmap and *_diamagneticmap lie beside *_Chimap

  docs/outputs.md explains every column of every table."),
    EXIT_STATUS,
]))]
pub struct Predict {
    /// Susceptibility-weighted image; defines the grid
    #[arg(long, value_name = "FILE")]
    pub swi: Option<PathBuf>,
    /// T2*-weighted magnitude in place of an SWI; defines the grid
    #[arg(long, value_name = "FILE", conflicts_with = "swi")]
    pub t2star: Option<PathBuf>,
    /// Susceptibility map in ppm
    #[arg(long, value_name = "FILE")]
    pub qsm: Option<PathBuf>,
    /// T2-weighted image
    #[arg(long, value_name = "FILE")]
    pub t2w: Option<PathBuf>,
    /// Brain mask; values from one half of its highest on are inside [default: nonzero voxels of a skull-stripped image, or the brain that a network outlines in a whole head]
    #[arg(long, value_name = "FILE")]
    pub mask: Option<PathBuf>,
    /// DICOM files in place of images: imported, run as a dataset, and the lesions exported as DICOM again
    ///
    /// Folders of any depth, zip archives, files or a DICOMDIR, of one patient or many. In the folder of the
    /// results, `images` is the BIDS dataset that `deepmir import` makes, `results` what `deepmir run` finds in it,
    /// and `dicom` what `deepmir export` makes of that, which names the patients.
    #[arg(
        long, value_name = "DICOM", num_args = 1..,
        conflicts_with_all = ["swi", "t2star", "qsm", "t2w", "mask", "overwrite"]
    )]
    pub dicom: Vec<PathBuf>,
    /// Folder for the results
    #[arg(short, long, value_name = "DIR")]
    pub output: PathBuf,
    /// Name of a shipped model, or a model's folder or .deepmir file
    #[arg(long, value_name = "MODEL", default_value = "default")]
    pub model: String,
    /// Average over mirror images of each slice; takes four times as long
    #[arg(long)]
    pub flips: bool,
    /// Read NaN and infinite voxels as zero instead of refusing the file
    #[arg(long)]
    pub nan_to_zero: bool,
    /// Refuse a scan about which there is any warning, and write no result for it
    #[arg(long)]
    pub strict: bool,
    /// Write files for ITK-SNAP, 3D Slicer and FreeSurfer: names and colours of labels, points
    #[arg(long)]
    pub viewer_files: bool,
    /// Write over results of another scan in the folder
    #[arg(long)]
    pub overwrite: bool,
    // Last: what follows a flattened group would stand under its heading.
    #[command(flatten)]
    pub raw: RawFiles,
}
