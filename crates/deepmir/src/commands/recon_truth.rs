//! `deepmir recon --truth`: a map against the truth.

use std::path::{Path, PathBuf};

use anyhow::{anyhow, bail};
use comfy_table::{CellAlignment, Table, presets};
use deepmir_cases::bids::BidsName;
use deepmir_recon::measures::CompareMaps;
use deepmir_volume::nifti;

use crate::cli::Recon;

/// Of the evaluated region; from this share on it is told that the truth is exactly zero.
const MUCH: f64 = 0.1;

/// The comparison that was asked for, of a map yet to be made.
pub fn asked(arguments: &Recon, chi_map: PathBuf, mask: Option<PathBuf>) -> Option<CompareMaps> {
    Some(CompareMaps {
        chi_map,
        truth: arguments.truth.clone()?,
        mask,
        labels: arguments.truth_labels.clone(),
        nan_to_zero: arguments.nan_to_zero,
    })
}

/// Measures a map that exists.
pub fn of_map(chi_map: &Path, arguments: &Recon, output: &Path) -> anyhow::Result<()> {
    if arguments.data.is_some() || arguments.raw.is_given() {
        bail!("--chimap measures a map that exists; give no dataset and no echoes with it");
    }
    let Some(files) = asked(arguments, chi_map.to_owned(), arguments.mask.clone()) else {
        bail!("give the true susceptibility with --truth");
    };
    std::fs::create_dir_all(output)
        .map_err(|error| anyhow!("cannot write ({error}): {}", output.display()))?;
    let stem = match BidsName::parse(chi_map) {
        Some(name) => name.scan(),
        None => nifti::stem(chi_map),
    };
    compare(&files, output, &stem)
}

/// Measures, writes the table and prints it.
pub fn compare(files: &CompareMaps, folder: &Path, stem: &str) -> anyhow::Result<()> {
    let found = files.measure()?;
    let voxels = found.measures.first().map_or(0, |measure| measure.voxels);
    let zeros = found.truth_is_zero as f64 / voxels.max(1) as f64;
    if zeros > MUCH {
        tracing::warn!(
            "the truth is exactly 0 in {:.0} % of the voxels compared; if it has no value there, give a --mask of where \
             it has: {}",
            100.0 * zeros,
            files.truth.display()
        );
    }
    let mut table = Table::new();
    table.load_preset(presets::UTF8_FULL_CONDENSED);
    table.set_header(["against the truth", "region", "voxels", "value", "unit"]);
    for measure in &found.measures {
        let value = measure.value.map_or("n/a".to_owned(), |value| format!("{value:.4}"));
        table.add_row([
            measure.name.replace('_', " "),
            measure.region.replace('_', " "),
            measure.voxels.to_string(),
            value,
            measure.unit.to_owned(),
        ]);
    }
    for column in [2, 3] {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let path = found.write(folder, stem)?;
    say!("{table}");
    if found.without_value > 0 {
        say!("{} voxels of the mask are left out: the map is zero there", found.without_value);
    }
    say!("{}", path.display());
    Ok(())
}
