//! Networks and data sets of others, as they are read.

use std::fs;

use anyhow::Result;

use super::Scene;
use super::world::Sound;

/// A network of others, and what its owner says of it.
const NETWORK: &[u8] = include_bytes!("../../../deepmir-onnx/tests/fixtures/volume.onnx");
const IMPORT: &str = include_str!("settings/import.toml");

/// A table of places of microbleeds, as another's data set has it.
const PLACES: &[u8] = include_bytes!("../../../deepmir-study/tests/fixtures/aibl.xlsx");

/// A network that is read, run once and packed.
pub(super) fn network(scene: Scene) -> Result<Scene> {
    fs::create_dir_all(&scene.folder)?;
    fs::write(scene.folder.join("network.onnx"), NETWORK)?;
    fs::write(scene.folder.join("plan.toml"), IMPORT)?;
    Ok(scene
        .command("model import network.onnx --plan plan.toml -o out.deepmir")
        .writing(&["out.deepmir"]))
}

/// Another's data set of nnU-Net, made of ours.
pub(super) fn nnunet(sound: &Sound<'_>, scene: Scene) -> Result<Scene> {
    sound.take(&scene, &["bids"])?;
    sound.deepmir(&scene.folder, "cohort nnunet bids -o raw --folds 2")?;
    fs::remove_dir_all(scene.folder.join("bids"))?;
    Ok(scene.command("cohort from-nnunet raw/Dataset501_Lesions -o out"))
}

/// Images of another's data set, and its table of places.
pub(super) fn places(sound: &Sound<'_>, scene: Scene) -> Result<Scene> {
    let swi = sound.base.join("bids/sub-01/anat/sub-01_acq-swi_T2starw.nii.gz");
    for name in ["rCMB_DefiniteSubject/122_T1_MRI", "NoCMBSubject/7_T0_MRI"] {
        let place = scene.folder.join(format!("data/{name}_SWI_BFC_50mm_HM.nii.gz"));
        if let Some(folder) = place.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::copy(&swi, place)?;
    }
    fs::write(scene.folder.join("data/rCMBInformationInfo.xlsx"), PLACES)?;
    Ok(scene.command("study external aibl data -o out").damaging(&["data"]).piece_by_piece())
}
