//! Made-up heads, and what is reconstructed from their echoes.

use std::fs;
use std::path::Path;

use deepmir_volume::{nifti, statistics};

use crate::support::{COARSE, run, text};

#[test]
fn a_phantom_is_made_resumed_and_reconstructed() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("coarse.toml");
    fs::write(&config, format!("{COARSE}[phantom.output]\ntrue_maps = true\ntrue_parts = true\n"))
        .unwrap();
    let (heads, maps) = (folder.path().join("heads"), folder.path().join("maps"));
    let phantom = ["phantom", text(&heads), "--raw", "--seed", "3", "--config", text(&config)];
    let (code, out, told) = run(&phantom);
    assert_eq!(code, 0, "{told}");
    assert!(out.contains("heads"), "{out}");
    let anat = heads.join("sub-01/anat");
    for name in ["sub-01_acq-swi_T2starw", "sub-01_Chimap", "sub-01_T2w"] {
        assert!(anat.join(format!("{name}.nii.gz")).exists(), "{name}");
    }
    let (code, _, told) = run(&phantom);
    assert_eq!(code, 0, "{told}");
    assert!(told.contains("finished before"), "{told}");

    let truth = heads.join("derivatives/truth/sub-01/anat/sub-01_Chimap.nii.gz");
    let truth = ["--truth", text(&truth)];
    let (code, out, told) = run(&[&["recon", text(&heads), text(&maps)], &truth[..]].concat());
    assert_eq!(code, 0, "{told}");
    assert!(
        out.contains("detrended nrmse") && out.contains("sub-01_desc-truth_measures.tsv"),
        "{out}"
    );
    a_map_is_measured(&maps.join("sub-01/anat"), truth[1]);
    assert!(out.contains("sub-01_Chimap.nii.gz"), "{out}");
    assert!(told.contains("phase: radians"), "{told}");
    let made = maps.join("sub-01/anat");
    let raw = nifti::read(&anat.join("sub-01_echo-1_part-mag_MEGRE.nii.gz")).unwrap().volume;
    for name in ["acq-swi_T2starw", "Chimap", "R2starmap", "desc-brain_mask", "T2w"] {
        let image = nifti::read(&made.join(format!("sub-01_{name}.nii.gz"))).unwrap().volume;
        assert!(image.grid().same_as(raw.grid()), "{name}");
    }
    assert!(maps.join("dataset_description.json").exists());
    let own = made.join("sub-01_Chimap.nii.gz");
    let (code, _, told) = run(&["recon", text(&heads), text(&maps), "--truth", text(&own)]);
    assert_eq!(code, 3, "{told}");
    assert!(told.contains("would write over a file"), "{told}");
    fluid_is_zero(&heads, &made);
    susceptibility_is_separated(&heads);

    // A scan that cannot be done does not keep the others from it.
    let broken = heads.join("sub-00/anat");
    fs::create_dir_all(&broken).unwrap();
    for part in ["mag", "phase"] {
        let name = format!("sub-00_echo-1_part-{part}_MEGRE.nii.gz");
        fs::write(broken.join(name), b"no image").unwrap();
    }
    let again = folder.path().join("again");
    let (code, _, told) = run(&["recon", text(&heads), text(&again)]);
    assert_eq!(code, 3, "{told}");
    assert!(told.contains("some scans failed\n  sub-00: "), "{told}");
    assert!(again.join("sub-01/anat/sub-01_Chimap.nii.gz").exists());
    fs::remove_dir_all(heads.join("sub-00")).unwrap();

    let (code, _, told) = run(&["recon", text(&maps), text(&folder.path().join("nothing"))]);
    assert_eq!(code, 1);
    assert!(told.contains("no raw echoes"), "{told}");
    let (code, _, told) = run(&["recon", text(&heads), text(&maps), "--participant-label", "07"]);
    assert_eq!(code, 1);
    assert!(told.contains("there is no sub-07"), "{told}");
}

/// Reconstructs phantoms with zero in the fluid, whose true susceptibility is 0.019 ppm, and another fit of the field than
/// in `made`.
fn fluid_is_zero(heads: &Path, made: &Path) {
    let folder = tempfile::tempdir().unwrap();
    let maps = folder.path().join("maps");
    let choice = ["--reference", "fluid", "--field-fit", "line"];
    let (code, _, told) = run(&[&["recon", text(heads), text(&maps)], &choice[..]].concat());
    assert_eq!(code, 0, "{told}");
    let maps = maps.join("sub-01/anat");
    let map = |folder: &Path, name: &str| {
        nifti::read(&folder.join(format!("sub-01_{name}.nii.gz"))).unwrap().volume
    };
    let sidecar = fs::read_to_string(maps.join("sub-01_Chimap.json")).unwrap();
    let sidecar: serde_json::Value = serde_json::from_str(&sidecar).unwrap();
    assert_eq!(sidecar["ZeroReference"]["Region"], "fluid", "{told}");
    let truth = map(&heads.join("derivatives/truth/sub-01/anat"), "Chimap");
    let reliable = map(&maps, "desc-reliable_mask");
    let inside = truth.data().iter().zip(reliable.data()).filter(|(_, inside)| **inside > 0.5);
    let mut values: Vec<f32> = inside.map(|(&value, _)| value).collect();
    let above_fluid = statistics::median(&mut values).unwrap() - 0.019;
    let found = sidecar["ZeroReference"]["BrainMedianPpm"].as_f64().unwrap();
    assert!((found - f64::from(above_fluid)).abs() < 0.015, "{found} for {above_fluid}");
    let field = "desc-total_fieldmap";
    assert_ne!(map(&maps, field).data(), map(made, field).data());
}

/// With a map of R2, maps of both parts are written, and the lesion table has them.
fn susceptibility_is_separated(heads: &Path) {
    let folder = tempfile::tempdir().unwrap();
    let (raw, out) = (folder.path().join("raw"), folder.path().join("lesions"));
    let truth = heads.join("derivatives/truth/sub-01/anat");
    fs::create_dir_all(raw.join("sub-01/anat")).unwrap();
    let description = "dataset_description.json";
    fs::copy(heads.join(description), raw.join(description)).unwrap();
    for entry in fs::read_dir(heads.join("sub-01/anat")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name.contains("_MEGRE") {
            let [from, to] = [heads, &raw].map(|dataset| dataset.join("sub-01/anat").join(&name));
            fs::copy(from, to).unwrap();
        }
    }
    let config = folder.path().join("recon.toml");
    fs::write(&config, "[recon.chain.separation]\n").unwrap();
    let recon = ["recon", text(&raw), text(&folder.path().join("maps"))].map(str::to_owned);
    let refused = |options: &[&str], words: [&str; 2]| {
        let recon: Vec<&str> =
            recon.iter().map(String::as_str).chain(options.iter().copied()).collect();
        let (code, _, told) = run(&recon);
        assert!(code == 3 && words.iter().all(|word| told.contains(word)), "{told}");
    };
    refused(&["--config", text(&config)], ["there is no map of R2", "--r2-share"]);
    refused(&["--r2-share", "1.5"], ["separation.r2_share", "from 0 to 1"]);
    let swi = heads.join("sub-01/anat/sub-01_acq-swi_T2starw.nii.gz");
    let alone = ["predict", "--swi", text(&swi), "--r2-share", "0.5", "-o", text(&out)];
    let (code, _, told) = run(&alone);
    assert!(code == 1 && told.contains("give --mag and --phase"), "{told}");

    let r2 = raw.join("sub-01/anat/sub-01_R2map.nii.gz");
    fs::copy(truth.join("sub-01_R2map.nii.gz"), &r2).unwrap();
    let all = ["run", text(&raw), text(&out), "participant", "--config", text(&config)];
    let (code, _, told) = run(&all);
    assert_eq!(code, 0, "{told}");
    let anat = out.join("sub-01/anat");
    let sidecar = fs::read_to_string(anat.join("sub-01_paramagneticmap.json")).unwrap();
    let sidecar: serde_json::Value = serde_json::from_str(&sidecar).unwrap();
    assert_eq!(sidecar["Separation"]["R2"], text(&r2), "{sidecar}");
    assert!(sidecar.get("Warnings").is_none(), "{sidecar}");
    let map = |folder: &Path, name: &str| {
        nifti::read(&folder.join(format!("sub-01_{name}.nii.gz"))).unwrap().volume
    };
    let [found, drawn] = [&anat, &truth].map(|folder| map(folder, "paramagneticmap"));
    let mean = |least: f32, most: f32| {
        let voxels = found.data().iter().zip(drawn.data());
        let there = voxels.filter(|(found, drawn)| **found > 0.0 && (least..most).contains(*drawn));
        statistics::mean(there.map(|(found, _)| *found)).unwrap()
    };
    let (iron, little) = (mean(0.1, 10.0), mean(0.0, 0.02));
    assert!(iron > 2.0 * little, "{iron} {little}");

    let table = fs::read_to_string(anat.join("sub-01_desc-lesions.tsv")).unwrap();
    let header: Vec<&str> = table.lines().next().unwrap().split('\t').collect();
    let column = |name: &str| header.iter().position(|column| *column == name).unwrap();
    let [positive, negative, chi] =
        ["chi_positive_mean_ppm", "chi_negative_mean_ppm", "chi_mean_ppm"].map(column);
    assert!(table.lines().count() > 1, "{table}");
    for line in table.lines().skip(1) {
        let cells: Vec<&str> = line.split('\t').collect();
        let [positive, negative, chi] =
            [positive, negative, chi].map(|column| cells[column].parse::<f64>().unwrap());
        assert!(positive > 0.0 && negative <= 0.0 && positive < chi + 1.0, "{line}");
    }
    let page = fs::read_to_string(anat.join("sub-01_desc-lesions_report.html")).unwrap();
    assert!(page.contains("paramagnetic and diamagnetic, mean"));

    // Where they come from elsewhere, they must lie on the same grid.
    let grid =
        deepmir_volume::Grid::new([8; 3], deepmir_volume::Affine::from_spacing([1.0; 3], [0.0; 3]));
    let small = deepmir_volume::Volume::filled(grid.unwrap(), 0.0_f32);
    nifti::write(&anat.join("sub-01_diamagneticmap.nii.gz"), &small, None).unwrap();
    let [swi, chi] =
        ["acq-swi_T2starw", "Chimap"].map(|name| anat.join(format!("sub-01_{name}.nii.gz")));
    let alone = folder.path().join("alone");
    let line = ["predict", "--swi", text(&swi), "--qsm", text(&chi), "-o", text(&alone)];
    let (code, _, told) = run(&line);
    assert!(code == 0 && told.contains("this map is on another grid"), "{told}");
    let table = fs::read_to_string(alone.join("sub-01_desc-lesions.tsv")).unwrap();
    assert!(!table.contains("chi_positive_mean_ppm"), "{table}");
}

/// The same map by itself is as near to the truth as after its reconstruction.
fn a_map_is_measured(maps: &Path, truth: &str) {
    let folder = tempfile::tempdir().unwrap();
    let [chi, brain] =
        ["Chimap", "desc-brain_mask"].map(|name| maps.join(format!("sub-01_{name}.nii.gz")));
    let alone = ["recon", "--chimap", text(&chi), "--mask", text(&brain), "--truth", truth];
    let (code, _, told) = run(&[&alone[..], &["-o", text(folder.path())]].concat());
    assert_eq!(code, 0, "{told}");
    let table =
        |folder: &Path| fs::read_to_string(folder.join("sub-01_desc-truth_measures.tsv")).unwrap();
    assert_eq!(table(folder.path()), table(maps));
    let correlation = table(maps).lines().find_map(|line| {
        line.strip_prefix("correlation\tbrain\t")?.split('\t').nth(1)?.parse::<f64>().ok()
    });
    assert!(correlation.unwrap() > 0.5, "{}", table(maps));
    // Of another grid, it is refused before anything is computed.
    let small = folder.path().join("small.nii");
    let grid =
        deepmir_volume::Grid::new([8; 3], deepmir_volume::Affine::from_spacing([1.0; 3], [0.0; 3]));
    nifti::write(&small, &deepmir_volume::Volume::filled(grid.unwrap(), 0.1_f32), None).unwrap();
    let (code, _, told) =
        run(&["recon", "--chimap", text(&chi), "--truth", text(&small), "-o", text(folder.path())]);
    assert_eq!(code, 1);
    assert!(told.contains("share a grid") && told.contains("small.nii"), "{told}");
}

#[test]
fn echoes_without_their_pair_or_folder_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let magnitude = folder.path().join("mag.nii.gz");
    let (code, _, told) = run(&["recon", "--mag", text(&magnitude), "-o", text(folder.path())]);
    assert_eq!(code, 1);
    assert!(told.contains("one of each for each echo"), "{told}");
    let (code, _, told) = run(&["recon"]);
    assert_eq!(code, 1);
    assert!(told.contains("give a BIDS dataset"), "{told}");
    // As help has it, and apart; the files come first to be missed.
    let raw = ["recon", "--mag", "no.nii", "--phase", "no.nii", "-o", text(folder.path())];
    for (direction, wanted) in
        [(&["0,0.1,-1"][..], "no.nii"), (&["0", "0.1", "-1"], "no.nii"), (&["0,1"], "give three")]
    {
        let (code, _, told) = run(&[&raw[..], &["--b0-direction"], direction].concat());
        assert_eq!(code, 1);
        assert!(told.contains(wanted), "{told}");
    }
}
