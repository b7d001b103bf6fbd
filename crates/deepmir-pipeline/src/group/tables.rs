//! The cohort's tables: a row a scan, and a row a lesion.

use deepmir_cases::Contrast;
use deepmir_lesion::{
    BombsSize, Certainty, CountInterval, LesionClass, LesionRow, Lobe, MarsRegion,
    MicrobleedCounts, Pattern, Region, RegionSource, Side,
};

use super::outliers::Outlier;
use super::{Cell, Row, Table};
use crate::run::State;

/// A row a scan.
pub(super) fn subjects(rows: &[Row], outliers: &[Outlier]) -> Table {
    let row = |(n, row)| scan(row, outliers.iter().filter(|outlier| outlier.row == n));
    let laid_out: Vec<_> = rows.iter().enumerate().map(row).collect();
    let header = laid_out.first().cloned().unwrap_or_default();
    Table::of(laid_out, header)
}

fn scan<'a>(row: &Row, outliers: impl Iterator<Item = &'a Outlier>) -> Vec<(&'static str, Cell)> {
    let done = row.state == State::Done;
    let of = |class| row.lesions.iter().filter(move |lesion: &&LesionRow| lesion.class == class);
    let there = |class, region: Option<Region>| {
        of(class).filter(move |lesion| region.is_none() || lesion.region == region)
    };
    let count = |class, region| Cell::Count(done.then(|| there(class, region).count() as i64));
    let volume = |class, region| {
        // The sum of nothing is minus zero.
        let sum = || there(class, region).map(|lesion| lesion.volume_mm3).sum::<f64>() + 0.0;
        Cell::Number(done.then(sum), 3)
    };
    let chi = |class| {
        let sum = of(class).map(|lesion| lesion.chi_total_ppm_mm3).sum::<Option<f64>>();
        Cell::Number(sum.filter(|_| done).map(|sum| sum + 0.0), 4)
    };
    let (cmb, nhid) = (LesionClass::Cmb, LesionClass::Nhid);
    let quality = row.quality.as_ref();
    let interval_end = |class: LesionClass, end: fn(&CountInterval) -> usize| {
        let interval =
            quality.filter(|_| done).and_then(|quality| quality.count_intervals.get(&class));
        Cell::Count(interval.map(|interval| end(interval) as i64))
    };
    let source = quality.filter(|_| done).map(|quality| quality.region_source);
    let counts = source.map(|source| MicrobleedCounts::of(&row.lesions, source));
    let counts = counts.unwrap_or_default();
    let counted = counts.columns().into_iter();
    let counted = counted.map(|(name, count)| (name, Cell::Count(count.map(|count| count as i64))));
    let name = |name: Option<&str>| Cell::Text(name.map(str::to_owned));
    let flags = quality.map(|quality| match quality.warnings.is_empty() {
        true => "none".to_owned(),
        false => quality.codes().join(","),
    });
    let unusual: Vec<&str> = outliers.map(|outlier| outlier.measure).collect();
    let mut cells = vec![
        ("scan_id", Cell::text(&row.scan)),
        ("participant_id", Cell::text(&row.subject)),
        ("session_id", Cell::Text(row.session.as_ref().map(|name| format!("ses-{name}")))),
        ("run_id", Cell::Text(row.run.as_ref().map(|name| format!("run-{name}")))),
        ("state", Cell::text(row.state.name())),
        ("reason", Cell::Text(row.reason.clone())),
        ("cmb_count", count(cmb, None)),
        ("cmb_count_low", interval_end(cmb, |interval| interval.low)),
        ("cmb_count_high", interval_end(cmb, |interval| interval.high)),
        ("cmb_pattern", name(counts.pattern.map(Pattern::name))),
        ("cmb_lobar", count(cmb, Some(Region::Lobar))),
        ("cmb_deep", count(cmb, Some(Region::Deep))),
        ("cmb_infratentorial", count(cmb, Some(Region::Infratentorial))),
        ("region_source", name(source.map(RegionSource::name))),
    ];
    cells.extend(counted);
    cells.extend([
        ("cmb_volume_mm3", volume(cmb, None)),
        ("cmb_lobar_volume_mm3", volume(cmb, Some(Region::Lobar))),
        ("cmb_deep_volume_mm3", volume(cmb, Some(Region::Deep))),
        ("cmb_infratentorial_volume_mm3", volume(cmb, Some(Region::Infratentorial))),
        ("cmb_chi_total_ppm_mm3", chi(cmb)),
        ("nhid_count", count(nhid, None)),
        ("nhid_count_low", interval_end(nhid, |interval| interval.low)),
        ("nhid_count_high", interval_end(nhid, |interval| interval.high)),
        ("nhid_volume_mm3", volume(nhid, None)),
        ("nhid_chi_total_ppm_mm3", chi(nhid)),
        ("contrast", name(quality.and_then(|quality| quality.contrast).map(Contrast::name))),
        ("brain_ml", Cell::Number(quality.map(|quality| quality.brain_ml), 1)),
        ("snr", Cell::Number(quality.and_then(|quality| quality.snr), 2)),
        (
            "registration_similarity",
            Cell::Number(quality.and_then(|quality| quality.registration_similarity), 4),
        ),
        (
            "chi_deviation_ppm",
            Cell::Number(quality.and_then(|quality| quality.chi_deviation_ppm), 5),
        ),
        ("flags", Cell::Text(flags)),
        ("warnings", Cell::Text((!row.warnings.is_empty()).then(|| row.warnings.join("; ")))),
        ("outlier_in", Cell::Text((!unusual.is_empty()).then(|| unusual.join(",")))),
        ("model", Cell::Text(row.model.as_ref().map(|(name, _)| name.clone()))),
        ("model_id", Cell::Text(row.model.as_ref().map(|(_, id)| id.clone()))),
    ]);
    cells
}

/// The names of the columns of the table of scans.
#[cfg(test)]
pub(super) fn header() -> Vec<&'static str> {
    let table = subjects(&[tests::row(State::Failed, Vec::new())], &[]);
    table.columns.into_iter().map(|(name, _)| name).collect()
}

/// A lesion of which nothing is known.
pub(crate) fn unmeasured() -> LesionRow {
    LesionRow {
        lesion_id: 0,
        class: LesionClass::Cmb,
        certainty: None,
        region: None,
        mars_region: None,
        lobe: None,
        side: None,
        x_mm: 0.0,
        y_mm: 0.0,
        z_mm: 0.0,
        volume_mm3: 0.0,
        diameter_mm: 0.0,
        bombs_size: None,
        n_voxels: 0,
        mean_probability: None,
        max_probability: None,
        chi_mean_ppm: None,
        chi_total_ppm_mm3: None,
        swi_contrast: None,
        t2w_contrast: None,
        sphericity: 0.0,
        note: None,
    }
}

/// A row a lesion.
pub(super) fn lesions(rows: &[Row]) -> Table {
    let laid_out = rows
        .iter()
        .flat_map(|row| row.lesions.iter().map(|found| lesion(&row.scan, &row.subject, found)));
    Table::of(laid_out.collect(), lesion("", "", &unmeasured()))
}

fn lesion(scan: &str, subject: &str, row: &LesionRow) -> Vec<(&'static str, Cell)> {
    let name = |name: Option<&str>| Cell::Text(name.map(str::to_owned));
    vec![
        ("scan_id", Cell::text(scan)),
        ("participant_id", Cell::text(subject)),
        ("lesion_id", Cell::Count(Some(row.lesion_id as i64))),
        ("class", Cell::text(row.class.name())),
        ("certainty", name(row.certainty.map(Certainty::name))),
        ("region", name(row.region.map(Region::name))),
        ("mars_region", name(row.mars_region.map(MarsRegion::key))),
        ("lobe", name(row.lobe.map(Lobe::name))),
        ("side", name(row.side.map(Side::name))),
        ("x_mm", Cell::Number(Some(row.x_mm), 2)),
        ("y_mm", Cell::Number(Some(row.y_mm), 2)),
        ("z_mm", Cell::Number(Some(row.z_mm), 2)),
        ("volume_mm3", Cell::Number(Some(row.volume_mm3), 3)),
        ("diameter_mm", Cell::Number(Some(row.diameter_mm), 2)),
        ("bombs_size", name(row.bombs_size.map(BombsSize::name))),
        ("n_voxels", Cell::Count(Some(row.n_voxels as i64))),
        ("mean_probability", Cell::Number(row.mean_probability, 4)),
        ("max_probability", Cell::Number(row.max_probability, 4)),
        ("chi_mean_ppm", Cell::Number(row.chi_mean_ppm, 4)),
        ("chi_total_ppm_mm3", Cell::Number(row.chi_total_ppm_mm3, 4)),
        ("swi_contrast", Cell::Number(row.swi_contrast, 4)),
        ("t2w_contrast", Cell::Number(row.t2w_contrast, 4)),
        ("sphericity", Cell::Number(Some(row.sphericity), 3)),
        ("note", Cell::Text(row.note.clone())),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::predict::quality::Quality;

    pub(super) fn row(state: State, lesions: Vec<LesionRow>) -> Row {
        Row {
            scan: "sub-01".to_owned(),
            subject: "sub-01".to_owned(),
            session: None,
            run: None,
            state,
            reason: None,
            model: None,
            warnings: Vec::new(),
            lesions,
            quality: Some(Quality {
                region_source: RegionSource::Parcellation,
                ..Quality::default()
            }),
            report: None,
            mosaic: None,
        }
    }

    fn at(place: MarsRegion, certainty: Certainty) -> LesionRow {
        LesionRow {
            mars_region: Some(place),
            region: Some(place.region()),
            certainty: Some(certainty),
            ..unmeasured()
        }
    }

    #[test]
    fn a_scan_counts_its_microbleeds_by_certainty_region_and_pattern() {
        let lesions = vec![
            at(MarsRegion::Frontal, Certainty::Definite),
            at(MarsRegion::Occipital, Certainty::Possible),
            at(MarsRegion::Cerebellum, Certainty::Definite),
        ];
        let table = subjects(&[row(State::Done, lesions), row(State::Failed, Vec::new())], &[]);
        let shown = |row: usize, name: &str| {
            let place = table.columns.iter().position(|(column, _)| *column == name).unwrap();
            table.rows[row][place].shown()
        };
        for (name, value) in [
            ("cmb_count", "3"),
            ("cmb_pattern", "mixed"),
            ("cmb_lobar", "2"),
            ("cmb_definite", "2"),
            ("cmb_possible", "1"),
            ("cmb_mars_frontal", "1"),
            ("cmb_mars_thalamus", "0"),
            ("boston2_strictly_lobar_cmb", "2"),
            ("boston2_deep_cmb", "0"),
            ("region_source", "parcellation"),
        ] {
            assert_eq!(
                (shown(0, name), shown(1, name)),
                (value.to_owned(), "n/a".to_owned()),
                "{name}"
            );
        }
    }

    #[test]
    fn the_table_of_lesions_has_the_columns_of_a_scans() {
        let columns: Vec<&str> = lesions(&[]).columns.iter().map(|(name, _)| *name).collect();
        assert_eq!(columns[..2], ["scan_id", "participant_id"]);
        assert!(columns[2..] == deepmir_lesion::table::COLUMNS, "{columns:?}");
    }
}
