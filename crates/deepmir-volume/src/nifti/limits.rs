//! What size the voxels and the field of view of a head can have: a header beyond it has other units than it says.

use std::ops::RangeInclusive;

use crate::Grid;

/// A side of a voxel. The finest scan of a whole human brain, after death, has 0.1 mm; the coarsest localisers have
/// slices of 10 mm with gaps.
const VOXEL_MM: RangeInclusive<f64> = 0.08..=20.0;
/// A side of the field of view: the bore of a scanner is 0.6 to 0.7 m wide.
const LONGEST_MM: f64 = 1000.0;
/// An image with more voxels than this along one axis is no cut-out of a few voxels, so some side of it is longer than
/// [`SHORTEST_MM`]. Centimetres that are called millimetres make a head of 20 mm.
const WHOLE_VOXELS: usize = 96;
const SHORTEST_MM: f64 = 30.0;

/// Checks voxels and field of view. `unit` is what the header calls the unit of its lengths;
/// `None` if there is no header, because the image is in memory.
///
/// # Errors
/// With the sizes, the unit and the remedy.
pub(super) fn check_size(grid: &Grid, unit: Option<&str>) -> Result<(), String> {
    let sizes = grid.voxel_sizes_mm();
    let sides: [f64; 3] = std::array::from_fn(|axis| sizes[axis] * grid.shape()[axis] as f64);
    let longest = sides.into_iter().fold(0.0, f64::max);
    let voxels = grid.shape().into_iter().max().unwrap_or(0);
    // The size of a slice that stands alone matters to nobody: it has no thickness in some headers.
    let impossible_voxel = (0..3).any(|axis| {
        !VOXEL_MM.contains(&sizes[axis]) && (grid.shape()[axis] > 1 || sizes[axis] > 1.0)
    });
    let what = if impossible_voxel {
        format!("voxels of {} mm", product(sizes))
    } else if longest > LONGEST_MM || (voxels > WHOLE_VOXELS && longest < SHORTEST_MM) {
        format!("a field of view of {} mm", product(sides))
    } else {
        return Ok(());
    };
    let Some(unit) = unit else {
        return Err(format!("{what} cannot be a head's; give the affine in millimetres"));
    };
    Err(format!(
        "{what} cannot be a head's; xyzt_units says {unit}: set it to the unit that the sizes are in, or the sizes to \
         millimetres"
    ))
}

/// `0.75 × 0.75 × 1.5`: four digits of each.
pub(super) fn product(sizes: [f64; 3]) -> String {
    let digits = |size: f64| {
        if !(1e-6..1e7).contains(&size) {
            return format!("{size:.2e}");
        }
        let decimals = (3 - size.log10().floor() as i32).max(0) as usize;
        let text = format!("{size:.decimals$}");
        if text.contains('.') {
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        } else {
            text
        }
    };
    sizes.map(digits).join(" × ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Affine;

    fn check(shape: [usize; 3], sizes: [f64; 3]) -> Result<(), String> {
        let grid = Grid::new(shape, Affine::from_spacing(sizes, [0.0; 3])).unwrap();
        check_size(&grid, Some("metres"))
    }

    #[test]
    fn sizes_no_head_can_have_are_refused() {
        let told = check([8, 8, 8], [751.2, 750.0, 1500.0]).unwrap_err();
        assert!(
            told.starts_with(
                "voxels of 751.2 × 750 × 1500 mm cannot be a head's; xyzt_units says metres"
            ),
            "{told}"
        );
        // Microns; centimetres; tenths of a millimetre; one side alone.
        assert!(
            check([213, 256, 100], [7.5e-4, 7.5e-4, 1.5e-3])
                .unwrap_err()
                .contains("0.00075 × 0.00075 × 0.0015")
        );
        assert!(check([213, 256, 100], [0.075, 0.075, 0.15]).is_err());
        assert!(
            check([160, 192, 150], [0.1; 3])
                .unwrap_err()
                .contains("field of view of 16 × 19.2 × 15 mm")
        );
        assert!(check([213, 256, 100], [7.5, 7.5, 15.0]).unwrap_err().contains("field of view"));
        assert!(check([213, 256, 100], [0.75, 0.75, 1500.0]).is_err());
    }

    #[test]
    fn sizes_that_heads_and_cut_outs_have_are_let_through() {
        for (shape, sizes) in [
            ([213, 256, 100], [0.75, 0.75, 1.5]),
            ([1600, 2000, 1400], [0.1; 3]),
            ([64, 64, 15], [4.0, 4.0, 12.0]),
            ([20, 20, 8], [0.5, 0.5, 2.0]),
            ([64, 64, 1], [4.0, 4.0, 1e-3]),
        ] {
            assert_eq!(check(shape, sizes), Ok(()), "{shape:?} {sizes:?}");
        }
    }
}
