//! Grades by number and place, as rating scales and trials have them.

use deepmir_lesion::{LesionClass, LesionRow, Region};

/// The grade of a number of microbleeds by the cut-offs that trials of amyloid antibodies use for
/// ARIA-H (Barkhof et al., AJNR 34:1550, 2013; Sperling et al., Alzheimers Dement 7:367, 2011): up to
/// 4 mild, 5 to 9 moderate, 10 or more severe. ARIA-H counts *new* microbleeds under treatment;
/// applied to all of one scan this is only a grade of their number.
pub fn by_number(microbleeds: usize) -> &'static str {
    match microbleeds {
        0 => "none",
        1..=4 => "mild",
        5..=9 => "moderate",
        _ => "severe",
    }
}

/// Where microbleeds lie, by the regions of MARS (Gregoire et al., Neurology 73:1759, 2009): strictly
/// lobar (as in amyloid angiopathy), strictly deep or infratentorial (as in hypertension), or mixed.
/// `n/a` where a region is not known.
pub fn pattern(rows: &[LesionRow]) -> &'static str {
    let regions: Option<Vec<Region>> =
        rows.iter().filter(|row| row.class == LesionClass::Cmb).map(|row| row.region).collect();
    let Some(regions) = regions else { return "n/a" };
    let lobar = regions.contains(&Region::Lobar);
    let deep = regions.iter().any(|&region| region != Region::Lobar);
    match (lobar, deep) {
        (false, false) => "none",
        (true, false) => "lobar",
        (false, true) => "deep",
        (true, true) => "mixed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_their_grades() {
        let grades: Vec<&str> = [0, 1, 4, 5, 9, 10, 300].map(by_number).to_vec();
        assert_eq!(grades, ["none", "mild", "mild", "moderate", "moderate", "severe", "severe"]);
    }
}
