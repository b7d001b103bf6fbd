//! Datasets in every orientation, and servers in processes of their own that can be killed.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use deepmir_annotate::server::{Options, serve};
use deepmir_annotate::{CaseFiles, Dataset, ImageKind};
use deepmir_lesion::MarsRegion;
use deepmir_testing::write_subject;
use deepmir_volume::{Affine, Grid, Orientation, Volume, nifti};

/// How a subject's files lie in space.
#[derive(Clone, Copy, Debug)]
pub enum Layout {
    /// Axes along these directions, such as `LPS`.
    Codes(&'static str),
    /// Tilted by 20° about two axes.
    Oblique,
}

/// Writes a made-up subject and brings its files into a layout.
pub fn write_as(dataset: &Path, number: u32, layout: Layout) {
    let subject = write_subject(dataset, number);
    for path in [&subject.swi, &subject.qsm, &subject.t2w, &subject.truth] {
        let volume = nifti::read(path).unwrap().volume;
        let moved = match layout {
            Layout::Codes(codes) => Orientation::all()
                .find(|orientation| orientation.codes() == codes)
                .unwrap()
                .from_ras(&volume),
            Layout::Oblique => {
                let (sin, cos) = 20_f64.to_radians().sin_cos();
                let turn = |rows: [[f64; 3]; 3]| {
                    let [x, y, z] = rows.map(|[a, b, c]| [a, b, c, 0.0]);
                    Affine::from_rows([x, y, z, [0.0, 0.0, 0.0, 1.0]]).unwrap()
                };
                let about_x = turn([[1.0, 0.0, 0.0], [0.0, cos, -sin], [0.0, sin, cos]]);
                let about_z = turn([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]]);
                let affine = about_x.after(&about_z).after(volume.grid().affine());
                let grid = Grid::new(volume.shape(), affine).unwrap();
                volume.with_grid(grid).unwrap()
            }
        };
        if path == &subject.truth {
            nifti::write(path, &moved.map(|&value| value as u8), None).unwrap();
        } else {
            nifti::write(path, &moved, None).unwrap();
        }
    }
}

/// The cases of a dataset of made-up subjects, the truth standing for a model's candidates.
pub fn cases(dataset: &Path) -> Vec<CaseFiles> {
    let mut ids: Vec<String> = std::fs::read_dir(dataset)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|name| name.starts_with("sub-"))
        .collect();
    ids.sort();
    ids.into_iter()
        .map(|id| {
            let anat = dataset.join(&id).join("anat");
            let truth = format!("derivatives/truth/{id}/anat/{id}_acq-swi_seg-lesions_dseg.nii.gz");
            CaseFiles {
                folder: PathBuf::from(&id).join("anat"),
                name: format!("{id}_acq-swi_seg-lesions_desc-{{desc}}"),
                images: vec![
                    (ImageKind::Swi, anat.join(format!("{id}_acq-swi_T2starw.nii.gz"))),
                    (ImageKind::Qsm, anat.join(format!("{id}_Chimap.nii.gz"))),
                    (ImageKind::T2w, anat.join(format!("{id}_T2w.nii.gz"))),
                ],
                brain: None,
                candidates: Some(dataset.join(truth)).filter(|path| path.is_file()),
                candidate_table: None,
                result: None,
                visits: None,
                id,
            }
        })
        .collect()
}

/// Opens a dataset of made-up subjects.
pub fn open(folder: &Path) -> Dataset {
    let out = folder.join("derivatives/annotate");
    Dataset::new(cases(folder), out, &[folder.to_owned()]).unwrap()
}

/// The same; where there are results of two visits or of one, these.
fn served(folder: &Path) -> Dataset {
    let (visits, results) = (folder.join("change"), folder.join("derivatives/deepmir"));
    if visits.is_dir() {
        Dataset::from_visits(&[visits], &[], &[], None).unwrap()
    } else if results.is_dir() {
        Dataset::from_results(&[results], &[], &[]).unwrap()
    } else {
        open(folder)
    }
}

/// A server in its own process.
pub struct Server {
    process: Child,
    pub url: String,
}

impl Server {
    /// Starts one; without a rater, the page asks.
    pub fn start(dataset: &Path, rater: Option<&str>) -> Self {
        Self::start_at(dataset, rater, "127.0.0.1")
    }

    /// Starts one that listens on another address.
    pub fn start_at(dataset: &Path, rater: Option<&str>, host: &str) -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "support::serves_when_another_test_starts_it",
                "--ignored",
                "--nocapture",
            ])
            .env("DEEPMIR_SERVED", dataset)
            .env("DEEPMIR_RATER", rater.unwrap_or_default())
            .env("DEEPMIR_HOST", host)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let url = lines.map_while(Result::ok).find_map(|line| {
            let start = line.find("http://")?;
            Some(line[start..].to_owned())
        });
        Self { process, url: url.unwrap() }
    }

    pub fn port(&self) -> u16 {
        self.url.split([':', '/']).find_map(|part| part.parse().ok()).unwrap()
    }

    pub fn token(&self) -> &str {
        self.url.split_once("token=").unwrap().1
    }

    /// As `kill -9` does.
    pub fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Not a test of its own: a process to be served by, and to be killed.
#[test]
#[ignore = "started by other tests"]
fn serves_when_another_test_starts_it() {
    let Some(folder) = std::env::var_os("DEEPMIR_SERVED") else { return };
    let rater = std::env::var("DEEPMIR_RATER").ok().filter(|rater| !rater.is_empty());
    let options = Options {
        dataset: served(Path::new(&folder)),
        rater,
        host: std::env::var("DEEPMIR_HOST").unwrap().parse().unwrap(),
        port: 0,
        // Left thalamus, right frontal lobe.
        find_regions: Some(Box::new(|image| {
            let middle = image.shape()[0] / 2;
            let of = |left| if left { MarsRegion::Thalamus } else { MarsRegion::Frontal };
            Ok(Volume::from_fn(*image.grid(), |[i, ..]| of(i < middle) as u8 + 1))
        })),
    };
    serve(options, |url| {
        use std::io::Write;
        writeln!(std::io::stdout(), "\n{url}").unwrap();
        std::io::stdout().flush().unwrap();
    })
    .unwrap();
}
