//! Makes the scenes: small scans by `deepmir-testing`, all else by the program itself.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use deepmir_testing::formats;
use deepmir_volume::{Volume, nifti};

use super::{Scene, archive, echoes, others};
use crate::files::copy_folder;

/// A network of some thousand weights, trained for a moment, with every classifier there is.
const TRAINING: &str = include_str!("settings/training.toml");
const STUDY: &str = include_str!("settings/study.toml");
const RECON: &str = include_str!("settings/recon.toml");

const TRUTH: &str = "sub-01_acq-swi_seg-lesions_dseg.nii.gz";

/// Makes every scene below a folder, which is emptied first.
///
/// # Errors
/// A folder that cannot be written, or a program that fails on sound files.
pub fn prepare(program: &Path, world: &Path) -> Result<Vec<Scene>> {
    if world.exists() {
        fs::remove_dir_all(world).with_context(|| world.display().to_string())?;
    }
    let base = world.join("base");
    fs::create_dir_all(&base)?;
    let sound = Sound { program, base: &base };
    sound.dataset()?;
    echoes::write(&base.join("raw/sub-01/anat"))?;
    describe(&base.join("raw"))?;
    sound.models()?;

    let scenes = vec![
        sound.predict(Scene::new(world, "predict", 24))?,
        sound.formats(Scene::new(world, "formats", 8))?,
        sound.compare(Scene::new(world, "compare", 6))?,
        sound.recon(Scene::new(world, "recon", 10))?,
        sound.run(Scene::new(world, "run", 14))?,
        sound.group(Scene::new(world, "run group", 6))?,
        sound.train(Scene::new(world, "train", 6))?,
        sound.resume(Scene::new(world, "train resume", 6))?,
        sound.model(Scene::new(world, "model", 12))?,
        others::network(Scene::new(world, "model import", 8))?,
        sound.tune(Scene::new(world, "model tune", 4))?,
        others::nnunet(&sound, Scene::new(world, "cohort from-nnunet", 5))?,
        others::places(&sound, Scene::new(world, "study external", 4))?,
        sound.evaluate(Scene::new(world, "evaluate", 8))?,
        sound.annotate(Scene::new(world, "annotate", 8))?,
        sound.study(Scene::new(world, "study", 3))?,
        sound.collect(Scene::new(world, "study collect", 5))?,
        archive::import(Scene::new(world, "import", 10))?,
        archive::export(Scene::new(world, "export", 8))?,
    ];
    scenes.iter().try_for_each(|scene| sound.succeeds(scene))?;
    Ok(scenes)
}

fn describe(dataset: &Path) -> Result<()> {
    let text = "{\"Name\": \"made up\", \"BIDSVersion\": \"1.10.0\"}\n";
    fs::write(dataset.join("dataset_description.json"), text)?;
    Ok(())
}

/// What is sound, and the program that makes more of it.
pub(super) struct Sound<'a> {
    program: &'a Path,
    pub(super) base: &'a Path,
}

impl Sound<'_> {
    pub(super) fn deepmir(&self, folder: &Path, line: &str) -> Result<()> {
        let mut command = Command::new(self.program);
        command.args(line.split(' ')).args(["--threads", "2"]).current_dir(folder);
        let output = command.env_remove("RUST_LOG").output()?;
        let told = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "deepmir {line} fails on sound files:\n{told}");
        Ok(())
    }

    /// Undamaged, every command of a scene succeeds: else it would test the first lines of a program only.
    fn succeeds(&self, scene: &Scene) -> Result<()> {
        let trial = scene.folder.with_file_name("trial");
        for command in &scene.commands {
            copy_folder(&scene.folder, &trial)?;
            self.deepmir(&trial, &command.join(" "))?;
            fs::remove_dir_all(&trial)?;
        }
        Ok(())
    }

    /// Six subjects with sidecars, a table of participants and one of images.
    fn dataset(&self) -> Result<()> {
        let bids = self.base.join("bids");
        let mut table = String::from("id,truth,swi,qsm,t2w\n");
        let mut participants = String::from("participant_id\tage\tsex\n");
        for number in 1..=6 {
            let made = deepmir_testing::write_coarse_subject(&bids, number);
            let inside = |path: &Path| {
                path.strip_prefix(self.base)
                    .map(|path| path.display().to_string())
                    .unwrap_or_default()
            };
            let files = [&made.truth, &made.swi, &made.qsm, &made.t2w].map(|path| inside(path));
            table += &format!("{},{}\n", made.id, files.join(","));
            participants += &format!("{}\t{}\tF\n", made.id, 60 + number);
            for (image, more) in
                [(&made.swi, "\"EchoTime\": 0.02"), (&made.qsm, "\"Units\": \"ppm\"")]
            {
                let sidecar = image.with_extension("").with_extension("json");
                let text = format!(
                    "{{\"MagneticFieldStrength\": 3, \"Manufacturer\": \"none\", {more}}}\n"
                );
                fs::write(sidecar, text)?;
            }
        }
        fs::write(self.base.join("cohort.csv"), table)?;
        fs::write(bids.join("participants.tsv"), participants)?;
        fs::write(self.base.join("training.toml"), TRAINING)?;
        fs::write(self.base.join("study.toml"), STUDY)?;
        describe(&bids)
    }

    fn models(&self) -> Result<()> {
        self.deepmir(
            self.base,
            "train bids -o folds --folds 2 --steps 10 --config training.toml --name folds",
        )?;
        self.deepmir(
            self.base,
            "train bids -o single --steps 4 --config training.toml --name single",
        )?;
        for name in ["folds", "single"] {
            self.deepmir(self.base, &format!("model copy {name}/model {name}.deepmir"))?;
        }
        Ok(())
    }

    /// Copies files and folders of the base to a scene.
    pub(super) fn take(&self, scene: &Scene, names: &[&str]) -> Result<()> {
        fs::create_dir_all(&scene.folder)?;
        for name in names {
            let (from, to) = (self.base.join(name), scene.folder.join(name));
            if from.is_dir() {
                copy_folder(&from, &to)?;
            } else {
                if let Some(parent) = to.parent() {
                    fs::create_dir_all(parent)?;
                }
                fs::copy(&from, &to)?;
            }
        }
        Ok(())
    }

    /// One scan of four kinds of files: compressed, plain, a pair, a mask of integers.
    fn predict(&self, scene: Scene) -> Result<Scene> {
        self.take(&scene, &["single.deepmir", "folds.deepmir"])?;
        let anat = self.base.join("bids/sub-01/anat");
        let to = |name: &str| scene.folder.join(name);
        fs::copy(anat.join("sub-01_acq-swi_T2starw.nii.gz"), to("sub-01_swi.nii.gz"))?;
        fs::copy(anat.join("sub-01_acq-swi_T2starw.json"), to("sub-01_swi.json"))?;
        let qsm = nifti::read(&anat.join("sub-01_Chimap.nii.gz"))?.volume;
        nifti::write(&to("sub-01_Chimap.nii"), &qsm, None)?;
        let t2w = nifti::read(&anat.join("sub-01_T2w.nii.gz"))?.volume;
        nifti::write(&to("t2w.nii"), &t2w, None)?;
        let mut pair = fs::read(to("t2w.nii"))?;
        fs::remove_file(to("t2w.nii"))?;
        fs::write(to("sub-01_T2w.img"), pair.split_off(352))?;
        pair.truncate(348);
        pair[344..348].copy_from_slice(b"ni1\0");
        pair[108..112].copy_from_slice(&0_f32.to_le_bytes());
        fs::write(to("sub-01_T2w.hdr"), pair)?;
        nifti::write(&to("mask.nii.gz"), &t2w.map(|&value| u8::from(value > 0.0)), None)?;
        fs::write(
            to("options.toml"),
            "nan-to-zero = true\nflips = false\nmodel = \"single.deepmir\"\n",
        )?;
        let images =
            "predict --swi sub-01_swi.nii.gz --qsm sub-01_Chimap.nii --t2w sub-01_T2w.hdr -o out";
        Ok(scene
            .command(&format!("{images} --model single.deepmir --mask mask.nii.gz"))
            .command(&format!("{images} --model folds.deepmir --config options.toml"))
            .command(&format!("{images} --config options.toml"))
            .command("predict --swi sub-01_swi.nii.gz --qsm sub-01_Chimap.nii -o out --model folds.deepmir"))
    }

    /// The same scan in the formats of other programs.
    fn formats(&self, scene: Scene) -> Result<Scene> {
        self.take(&scene, &["single.deepmir"])?;
        let anat = self.base.join("bids/sub-01/anat");
        let read = |name: &str| -> Result<_> { Ok(nifti::read(&anat.join(name))?.volume) };
        let to = |name: &str| scene.folder.join(name);
        formats::write_nrrd(&to("swi.nrrd"), &read("sub-01_acq-swi_T2starw.nii.gz")?);
        formats::write_mgh(&to("qsm.mgh"), &read("sub-01_Chimap.nii.gz")?);
        formats::write_metaimage(&to("t2w.mha"), &read("sub-01_T2w.nii.gz")?);
        let line =
            "predict --swi swi.nrrd --qsm qsm.mgh --t2w t2w.mha -o out --model single.deepmir";
        Ok(scene.command(line))
    }

    /// Two visits, the second a little brighter, and what was found in either.
    fn compare(&self, scene: Scene) -> Result<Scene> {
        self.take(&scene, &["folds.deepmir"])?;
        let anat = self.base.join("bids/sub-01/anat");
        let to = |name: &str| scene.folder.join(name);
        let swi = nifti::read(&anat.join("sub-01_acq-swi_T2starw.nii.gz"))?.volume;
        let qsm = nifti::read(&anat.join("sub-01_Chimap.nii.gz"))?.volume;
        for (visit, scale) in [("a", 1.0), ("b", 1.1)] {
            nifti::write(
                &to(&format!("swi_{visit}.nii.gz")),
                &swi.map(|value| scale * value),
                None,
            )?;
            nifti::write(&to(&format!("qsm_{visit}.nii.gz")), &qsm, None)?;
            let sidecar =
                "{\"EchoTime\": 0.02, \"AcquisitionDateTime\": \"2024-05-01T10:00:00\"}\n";
            fs::write(to(&format!("swi_{visit}.json")), sidecar)?;
            let line = format!("predict --swi swi_{visit}.nii.gz --qsm qsm_{visit}.nii.gz");
            self.deepmir(&scene.folder, &format!("{line} -o of_{visit} --model folds.deepmir"))?;
        }
        let images = "--baseline swi_a.nii.gz --followup swi_b.nii.gz";
        let maps = "--baseline-qsm qsm_a.nii.gz --followup-qsm qsm_b.nii.gz";
        Ok(scene
            .command(&format!("compare {images} {maps} -o out --model folds.deepmir"))
            .command("compare --baseline of_a --followup of_b -o out --model folds.deepmir"))
    }

    fn recon(&self, scene: Scene) -> Result<Scene> {
        self.take(&scene, &["raw", "single.deepmir"])?;
        fs::write(scene.folder.join("recon.toml"), RECON)?;
        let first = "raw/sub-01/anat/sub-01_echo-1_part-mag_MEGRE.nii.gz";
        let grid = *nifti::read(&scene.folder.join(first))?.volume.grid();
        let r2 = Volume::filled(grid, 14.0_f32);
        nifti::write(&scene.folder.join("raw/sub-01/anat/sub-01_R2map.nii.gz"), &r2, None)?;
        let echo = |n: u32, part: &str| {
            format!("raw/sub-01/anat/sub-01_echo-{n}_part-{part}_MEGRE.nii.gz")
        };
        let files = format!(
            "--mag {} {} --phase {} {} -o out",
            echo(1, "mag"),
            echo(2, "mag"),
            echo(1, "phase"),
            echo(2, "phase")
        );
        Ok(scene
            .command(&format!("recon {files} --unwrapping laplacian --inversion tkd"))
            .command("recon raw out --inversion l2")
            .command("recon raw out --r2 raw/sub-01/anat/sub-01_R2map.nii.gz")
            .command("recon raw out --config recon.toml")
            .command(&format!("predict {files} --model single.deepmir"))
            .piece_by_piece())
    }

    fn run(&self, scene: Scene) -> Result<Scene> {
        self.take(&scene, &["bids/sub-01", "bids/sub-02", "bids/participants.tsv"])?;
        self.take(&scene, &["bids/dataset_description.json", "single.deepmir"])?;
        let line = "run bids out participant --model single.deepmir";
        self.deepmir(&scene.folder, line)?;
        Ok(scene
            .command(line)
            .command(&format!("{line} --rehash"))
            .command(&format!("{line} --force"))
            .command("run bids anew participant --model single.deepmir")
            .command("run bids anew participant --model single.deepmir --dry-run")
            .writing(&["out", "anew"])
            .piece_by_piece())
    }

    fn group(&self, scene: Scene) -> Result<Scene> {
        let run = scene.folder.with_file_name("run");
        copy_folder(&run, &scene.folder)?;
        Ok(scene
            .command("run bids out group")
            .damaging(&["out", "bids/participants.tsv", "bids/dataset_description.json"])
            .piece_by_piece())
    }

    fn train(&self, scene: Scene) -> Result<Scene> {
        self.take(&scene, &["bids", "cohort.csv", "training.toml", "folds.deepmir"])?;
        let config = "--config training.toml --steps 2";
        Ok(scene
            .command(&format!("train cohort.csv -o out {config}"))
            .command(&format!("train bids -o out {config}"))
            .command(&format!("train cohort.csv -o out {config} --init-from folds.deepmir"))
            .piece_by_piece())
    }

    /// A training that stopped before its model was written.
    fn resume(&self, scene: Scene) -> Result<Scene> {
        self.take(&scene, &["bids", "training.toml"])?;
        copy_folder(&self.base.join("single"), &scene.folder.join("out"))?;
        fs::remove_dir_all(scene.folder.join("out/model"))?;
        Ok(scene
            .command("train bids -o out --steps 4 --config training.toml --name single --resume")
            .damaging(&["out", "training.toml"])
            .piece_by_piece())
    }

    fn model(&self, scene: Scene) -> Result<Scene> {
        self.take(&scene, &["folds.deepmir", "single/model"])?;
        Ok(scene
            .command("model info folds.deepmir")
            .command("model verify folds.deepmir")
            .command("model copy folds.deepmir out")
            .command("model copy folds.deepmir out.deepmir")
            .command("model verify single/model")
            .command("model copy single/model out.deepmir --name other --licence MIT")
            .writing(&["out", "out.deepmir"]))
    }

    fn tune(&self, scene: Scene) -> Result<Scene> {
        self.take(&scene, &["folds.deepmir", "bids", "cohort.csv"])?;
        Ok(scene
            .command("model tune folds.deepmir cohort.csv -o out.deepmir")
            .command("model adapt folds.deepmir bids -o out.deepmir")
            .writing(&["out.deepmir"]))
    }

    fn evaluate(&self, scene: Scene) -> Result<Scene> {
        self.take(&scene, &["bids/derivatives"])?;
        copy_folder(&scene.folder.with_file_name("run").join("out"), &scene.folder.join("pred"))?;
        fs::remove_dir_all(scene.folder.join("pred/status"))?;
        let rest = "--pred pred -o out --resamples 20 --allow-missing";
        let one = "pred/sub-01/anat/sub-01_acq-swi_seg-lesions_dseg.nii.gz";
        let truth = format!("bids/derivatives/truth/sub-01/anat/{TRUTH}");
        Ok(scene
            .command(&format!("evaluate --truth bids/derivatives/truth {rest}"))
            .command(&format!("evaluate --truth bids/derivatives/truth {rest} --match centre:5"))
            .command(&format!("evaluate --truth {truth} --pred {one} -o out --resamples 20")))
    }

    fn annotate(&self, scene: Scene) -> Result<Scene> {
        self.take(&scene, &["bids/sub-01", "bids/sub-02", "bids/derivatives"])?;
        self.take(&scene, &["bids/participants.tsv", "bids/dataset_description.json"])?;
        for rater in ["anna", "ben"] {
            let line = format!(
                "annotate bids --rater {rater} --import bids/derivatives/truth --derivatives marks"
            );
            self.deepmir(&scene.folder, &line)?;
        }
        let store = rusqlite::Connection::open(scene.folder.join("marks/annotate.sqlite"))?;
        store.execute("UPDATE layers SET done = opened", [])?;
        drop(store);
        Ok(scene
            .command("annotate bids --derivatives marks --export out --raters anna")
            .command(
                "annotate bids --derivatives marks --export out --raters anna,ben --combine union",
            )
            .command(
                "annotate bids --derivatives marks --rater carl --import bids/derivatives/truth",
            )
            .command("evaluate --raters marks -o out --resamples 20")
            .damaging(&["marks", "bids"])
            .writing(&["out", "marks"])
            .piece_by_piece())
    }

    fn study(&self, scene: Scene) -> Result<Scene> {
        self.take(&scene, &["bids", "study.toml"])?;
        Ok(scene
            .command("study study.toml -o out --dry-run")
            .command("study cell study.toml 1 -o out")
            .damaging(&["study.toml", "bids/participants.tsv"])
            .piece_by_piece())
    }

    fn collect(&self, scene: Scene) -> Result<Scene> {
        self.take(&scene, &["bids", "study.toml"])?;
        self.deepmir(&scene.folder, "study study.toml -o out")?;
        Ok(scene
            .command("study collect study.toml -o out")
            .command("study collect study.toml -o out --partial")
            .damaging(&["out"])
            .piece_by_piece())
    }
}
