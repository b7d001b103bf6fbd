//! The files of copies.

use std::path::{Path, PathBuf};

use deepmir_cases::bids::{Scan, sidecar_fields, write_json, write_label_table, write_text};
use deepmir_phantom::implant::truth_of;
use deepmir_phantom::{Source, SourceKind, write_sources};
use deepmir_pipeline::recon::{ReconSettings, align};
use deepmir_recon::brain::combined_magnitude;
use deepmir_recon::{GradientEchoScan, reconstruct};
use deepmir_volume::morphology::dilate_mm;
use deepmir_volume::nifti::{self, Header};
use deepmir_volume::{Mask, Volume};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::names::CopyName;
use super::scan::{Images, SourceScan};
use super::{GENERATOR, ImplantPlan, Implants, NativeCalls, ProtocolDefaults};
use crate::StudyError;

/// Around implants that have no label and are no mimic, nothing is known to be wrong, in millimetres.
const AROUND_HAEMORRHAGE_MM: f32 = 2.0;

/// What is written last beside a copy's truth: all that its images depend on. A copy with a record is finished.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Record {
    version: String,
    /// The scan that it is a copy of.
    source: String,
    /// The names of its files.
    files: Vec<String>,
    /// Whose turn of the ladder it is: its number among all copies of all scans, from 0; without a ladder, among those of
    /// its scan.
    pub(super) number: usize,
    /// Draws what is implanted.
    pub(super) seed: u64,
    /// The dataset's seed.
    dataset_seed: u64,
    implants: Implants,
    protocol: ProtocolDefaults,
    /// The model whose calls it keeps clear of, and the folder of labels.
    model: Option<String>,
    labels: Option<PathBuf>,
    /// How maps are made.
    recon: ReconSettings,
    /// Whether maps were made of changed echoes.
    reconstructed: bool,
    /// Sources in the copy, and those that found no room.
    #[serde(default)]
    pub(super) sources: usize,
    #[serde(default)]
    pub(super) without_room: usize,
}

impl Record {
    /// Of a scan's copy (from 0); `first` is the number of its first among all copies of all scans.
    pub(super) fn new(
        scan: &Scan,
        plan: &ImplantPlan,
        native: Option<&dyn NativeCalls>,
        first: usize,
        copy: usize,
    ) -> Self {
        let echoes = scan.echoes.as_deref().unwrap_or_default();
        let raw = echoes.iter().flat_map(|parts| <[&Path; 2]>::from(parts.paths()));
        let files =
            raw.chain(scan.images.values().map(PathBuf::as_path)).chain(scan.mask.as_deref());
        let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            source: scan.id.clone(),
            files: files.filter_map(name).collect(),
            number: match plan.implants {
                Implants::Ladder(_) => first + copy,
                Implants::Random(_) => copy,
            },
            seed: seed_of(plan.seed, &scan.id, copy),
            dataset_seed: plan.seed,
            implants: plan.implants.clone(),
            protocol: plan.protocol,
            model: native.map(NativeCalls::id),
            labels: plan
                .labels
                .as_ref()
                .map(|path| std::path::absolute(path).unwrap_or(path.clone())),
            recon: plan.recon,
            reconstructed: plan.reconstruct,
            sources: 0,
            without_room: 0,
        }
    }

    /// Whether the copy is there and was made this way.
    ///
    /// # Errors
    /// If it was made another way, or its record cannot be read.
    pub(super) fn is_done(&self, name: &CopyName, out: &Path) -> Result<bool, StudyError> {
        let path = record_path(name, out);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
            Err(source) => return Err(StudyError::Read { path, source }),
        };
        let told: Option<Self> = serde_json::from_str(&text).ok();
        let same = told.is_some_and(|told| {
            Self { sources: self.sources, without_room: self.without_room, ..told } == *self
        });
        if same { Ok(true) } else { Err(StudyError::OtherSettings { path }) }
    }
}

/// The seed of a copy: the same whatever other scans there are. JSON readers elsewhere keep whole numbers up to 2⁵³ only.
fn seed_of(seed: u64, scan: &str, copy: usize) -> u64 {
    let bytes = scan.bytes().chain(seed.to_le_bytes()).chain((copy as u64).to_le_bytes());
    let sum = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |sum, byte| {
        (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    sum >> 11
}

fn truth_folder(out: &Path) -> PathBuf {
    out.join("derivatives").join("truth")
}

fn record_path(name: &CopyName, out: &Path) -> PathBuf {
    name.folder(&truth_folder(out)).join(format!("{}_desc-implant.json", name.id()))
}

/// Changed images.
#[derive(Default)]
pub(super) struct Changed {
    pub(super) echoes: Option<GradientEchoScan>,
    /// With the files that they come from.
    pub(super) maps: Vec<(PathBuf, Volume<f32>)>,
    /// On a grid of its own.
    pub(super) t2w: Option<Volume<f32>>,
    /// Maps made of the echoes, with the endings of their names and the fields of their sidecars.
    made: Vec<(&'static str, Volume<f32>, Value)>,
    /// The brain that those were made in.
    brain: Option<Mask>,
}

impl Changed {
    /// Makes maps of the echoes, which then are not written.
    pub(super) fn reconstruct(
        &mut self,
        scan: &SourceScan,
        plan: &ImplantPlan,
    ) -> Result<(), StudyError> {
        let Some(echoes) = self.echoes.take() else { return Ok(()) };
        let settings = &plan.recon;
        let given = scan.brain_given.then_some(&scan.brain);
        let made = reconstruct(&echoes, given, &settings.chain, |_| ())?;
        if let Some(moving) = self.t2w.take() {
            let (aligned, _) = align(&moving, &combined_magnitude(&echoes), &made.brain, settings)?;
            self.made.push(("T2w", aligned, json!({ "EchoTime": scan.protocol.t2w_echo_time_s })));
        }
        let (times, tesla) = (echoes.echo_times_s(), echoes.field_strength_t());
        let swi_echo = settings.chain.swi.echo_of(&times, tesla);
        let fields = json!({
            "EchoTime": times[swi_echo],
            "MagneticFieldStrength": tesla,
            "B0Direction": echoes.b0_direction(),
        });
        self.made.push(("acq-swi_T2starw", made.swi, fields.clone()));
        let mut of_chi = fields;
        of_chi["Units"] = json!("ppm");
        self.made.push(("Chimap", made.chi_ppm, of_chi));
        self.brain = Some(made.brain);
        Ok(())
    }
}

/// A copy that is to be written.
pub(super) struct Copy<'a> {
    pub(super) name: &'a CopyName,
    pub(super) source: &'a SourceScan,
    pub(super) sources: &'a [Source],
    pub(super) changed: Changed,
}

/// How an image is stored.
enum Stored<'a> {
    /// Zero or more: 16 bits.
    Positive(&'a Volume<f32>, &'a Header),
    /// A phase: 16 bits.
    Phase(&'a Volume<f32>, &'a Header),
    /// As it is.
    Exact(&'a Volume<f32>, &'a Header),
    Labels(&'a Volume<u8>, &'a Header),
    Mask(&'a Mask, &'a Header),
}

impl Stored<'_> {
    fn write(&self, path: &Path) -> Result<(), StudyError> {
        match self {
            Self::Positive(volume, header) => {
                let most = volume.data().iter().copied().fold(1e-12_f32, f32::max);
                nifti::write_scaled(path, volume, most, Some(header))?;
            }
            Self::Phase(volume, header) => {
                nifti::write_scaled_signed(path, volume, std::f32::consts::PI, Some(header))?;
            }
            Self::Exact(volume, header) => nifti::write(path, volume, Some(header))?,
            Self::Labels(volume, header) => nifti::write(path, volume, Some(header))?,
            Self::Mask(volume, header) => nifti::write(path, volume, Some(header))?,
        }
        Ok(())
    }
}

/// Writes a copy's images and truth; last the record.
pub(super) fn copy(copy: &Copy<'_>, record: &Record, out: &Path) -> Result<(), StudyError> {
    let Copy { name, source, sources, changed } = copy;
    let (images, truths) = (name.folder(out), name.folder(&truth_folder(out)));
    for folder in [&images, &truths] {
        std::fs::create_dir_all(folder)
            .map_err(|source| StudyError::Write { path: folder.clone(), source })?;
    }
    let id = name.id();
    let truth = |ending: &str| truths.join(format!("{id}_{ending}"));
    let header = &source.header;
    let (labels, records) = truth_of(sources, source.brain.grid());
    let unknown = with_haemorrhages(&source.unknown, sources);
    let brain = changed.brain.as_ref().unwrap_or(&source.brain);
    let mut files: Vec<(PathBuf, Stored<'_>)> = vec![
        (truth("seg-lesions_dseg.nii.gz"), Stored::Labels(&labels, header)),
        (truth("desc-unknown_mask.nii.gz"), Stored::Mask(&unknown, header)),
        (truth("desc-brain_mask.nii.gz"), Stored::Mask(brain, header)),
    ];
    let mut sidecars: Vec<(PathBuf, Value)> = Vec::new();
    if let (Some(made), Images::Echoes(input)) = (&changed.echoes, &source.images) {
        for (n, echo) in made.echoes().iter().enumerate() {
            let ending = |part: &str| format!("{id}_echo-{}_part-{part}_MEGRE", n + 1);
            let mut fields = sidecar_fields(Path::new(&input.scan.echoes()[n].name));
            fields.insert("EchoTime".to_owned(), json!(echo.echo_time_s));
            fields.insert("MagneticFieldStrength".to_owned(), json!(made.field_strength_t()));
            fields.insert("B0Direction".to_owned(), json!(made.b0_direction()));
            fields.remove("Units");
            let path = images.join(ending("mag"));
            sidecars.push((path.with_extension("json"), Value::Object(fields.clone())));
            files.push((path.with_extension("nii.gz"), Stored::Positive(&echo.magnitude, header)));
            fields.insert("Units".to_owned(), json!("rad"));
            let path = images.join(ending("phase"));
            sidecars.push((path.with_extension("json"), Value::Object(fields)));
            files.push((path.with_extension("nii.gz"), Stored::Phase(&echo.phase_rad, header)));
        }
    }
    let maps = changed.maps.iter().map(|(path, volume)| (path, volume, header));
    let own = source.t2w.as_ref().zip(changed.t2w.as_ref());
    let own = own.map(|(t2w, volume)| (&t2w.path, volume, &t2w.header));
    for (path, volume, header) in maps.chain(own) {
        let file = images.join(name.of_file(path));
        let fields = sidecar_fields(path);
        if !fields.is_empty() {
            sidecars.push((file.with_extension("json"), Value::Object(fields)));
        }
        files.push((file.with_extension("nii.gz"), Stored::Exact(volume, header)));
    }
    for (ending, volume, fields) in &changed.made {
        let file = images.join(format!("{id}_{ending}"));
        sidecars.push((file.with_extension("json"), fields.clone()));
        files.push((file.with_extension("nii.gz"), Stored::Exact(volume, header)));
    }
    files.par_iter().try_for_each(|(path, stored)| stored.write(path))?;
    for (path, fields) in &sidecars {
        write_json(path, fields)?;
    }
    write_label_table(&truth("seg-lesions_dseg.tsv"))?;
    write_sources(&truth("desc-sources_list.tsv"), &records)?;
    Ok(write_json(&record_path(name, out), record)?)
}

/// Haemorrhages have no label and are no mimic: what a model makes of them is neither right nor wrong.
fn with_haemorrhages(unknown: &Mask, sources: &[Source]) -> Mask {
    let of_kind = |source: &&Source| source.kind == SourceKind::Haemorrhage;
    let mut unknown = unknown.clone();
    for source in sources.iter().filter(of_kind) {
        let (centre, reach) = (source.centre_mm(), source.reach_mm());
        let grid = *unknown.grid();
        let inside: Mask = Volume::from_fn(grid, |voxel| {
            let place = grid.position_mm(voxel);
            let apart: f64 = (0..3).map(|axis| (place[axis] - centre[axis]).powi(2)).sum();
            apart < reach * reach
        });
        let inside = dilate_mm(&inside, AROUND_HAEMORRHAGE_MM);
        let values = unknown.data_mut().iter_mut().zip(inside.data());
        values.for_each(|(value, inside)| *value |= *inside);
    }
    unknown
}

/// The descriptions of a dataset of copies and of its truth.
pub(super) fn descriptions(out: &Path) -> Result<(), StudyError> {
    let truth = truth_folder(out);
    std::fs::create_dir_all(&truth)
        .map_err(|source| StudyError::Write { path: truth.clone(), source })?;
    let generated = json!([{ "Name": GENERATOR, "Version": env!("CARGO_PKG_VERSION") }]);
    for (folder, name, kind) in [
        (out, "scans with simulated lesions implanted", "raw"),
        (truth.as_path(), "implanted lesions", "derivative"),
    ] {
        write_json(
            &folder.join("dataset_description.json"),
            &json!({
                "Name": name,
                "BIDSVersion": "1.10.0",
                "DatasetType": kind,
                "GeneratedBy": generated,
            }),
        )?;
    }
    write_text(&truth.join(".bidsignore"), "**/*_desc-sources_list.tsv\n**/*_desc-implant.json\n")?;
    Ok(write_text(
        &out.join("README"),
        "Real scans with simulated lesions in them: microbleeds, iron deposits and what looks like them.\n\n\
         Every session ses-…implantN is a copy of one scan. derivatives/truth holds what was implanted:\n\
         label maps (1 CMB, 2 NHID), every source with its place, size and susceptibility\n\
         (*_desc-sources_list.tsv), where nobody knows what is there (*_desc-unknown_mask.nii.gz), and the\n\
         settings of each copy (*_desc-implant.json). The scans' own lesions are still in them, unlabelled.\n\n\
         Not for clinical use.\n",
    )?)
}
