//! Tables of structures and volumes.

use std::fmt::Write;

use deepmir_anatomy::{Parcellation, Side, StructureVolume, Tissue};

use super::colours;

/// The name of a structure on a side.
fn name(tissue: Tissue, side: Option<Side>) -> String {
    match side {
        Some(side) => format!("{} {}", side.name(), tissue.name()),
        None => tissue.name().to_owned(),
    }
}

/// The numbers of the label map: `index`, `name`, `side` (`left`, `right` or `n/a`), `volume_ml`, `color` (hexadecimal).
pub fn labels(volumes: &[StructureVolume]) -> String {
    let mut table = String::from("index\tname\tside\tvolume_ml\tcolor\n");
    for tissue in Tissue::ALL {
        let sides: &[Option<Side>] = match tissue.has_sides() {
            true => &[Some(Side::Left), Some(Side::Right)],
            false => &[None],
        };
        for &side in sides {
            let volume = volumes.iter().find(|one| one.tissue == tissue && one.side == side);
            let volume = volume.map_or("n/a".to_owned(), |one| format!("{:.3}", one.volume_ml));
            let [red, green, blue] = colours::of(tissue);
            // A String takes whatever is written.
            let _ = writeln!(
                table,
                "{}\t{}\t{}\t{volume}\t#{red:02X}{green:02X}{blue:02X}",
                tissue.freesurfer(side.unwrap_or(Side::Left)),
                name(tissue, side),
                side.map_or("n/a", Side::name),
            );
        }
    }
    table
}

/// One row of volumes in millilitres, to be joined with those of other images.
pub fn row(stem: &str, found: &Parcellation) -> String {
    let mut columns = vec![
        ("image".to_owned(), stem.to_owned()),
        ("intracranial_ml".to_owned(), format!("{:.3}", found.quality.intracranial_ml)),
        ("brain_ml".to_owned(), format!("{:.3}", found.quality.brain_ml)),
    ];
    columns.extend(found.volumes.iter().map(|one| {
        let column = format!("{}_ml", name(one.tissue, one.side).replace(' ', "_"));
        (column, format!("{:.3}", one.volume_ml))
    }));
    let (names, values): (Vec<String>, Vec<String>) = columns.into_iter().unzip();
    format!("{}\n{}\n", names.join("\t"), values.join("\t"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_has_one_row_with_its_side_and_volume() {
        let (tissue, side) = (Tissue::Caudate, Some(Side::Right));
        let table = labels(&[StructureVolume { tissue, side, volume_ml: 3.5 }]);
        assert!(table.contains("\n50\tright caudate\tright\t3.500\t#7ABADC\n"), "{table}");
        assert!(table.contains("\n11\tleft caudate\tleft\tn/a\t#7ABADC\n"), "{table}");
        assert!(table.contains("\n16\tbrainstem\tn/a\tn/a\t"), "{table}");
        let mut numbers: Vec<&str> =
            table.lines().skip(1).filter_map(|line| line.split('\t').next()).collect();
        let count = numbers.len();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!((numbers.len(), count), (26, 26));
    }
}
