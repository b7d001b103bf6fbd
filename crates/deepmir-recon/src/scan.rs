//! A gradient-echo scan in memory.

use std::path::Path;

use deepmir_volume::{Grid, Volume, check_same_grid};
use nalgebra::Vector3;

use crate::{ReconError, limits};

/// One echo.
#[derive(Clone, Debug)]
pub struct Echo {
    /// What messages call it: its file, usually.
    pub name: String,
    /// Signal magnitude in any unit.
    pub magnitude: Volume<f32>,
    /// Phase in radians, wrapped or not, growing with time where the field is higher.
    pub phase_rad: Volume<f32>,
    /// Echo time in seconds.
    pub echo_time_s: f64,
}

/// A spoiled gradient-echo scan of one echo or more, checked.
#[derive(Clone, Debug)]
pub struct GradientEchoScan {
    echoes: Vec<Echo>,
    field_strength_t: f64,
    b0_direction: [f64; 3],
    slice_axis: Option<usize>,
    r2: Option<MeasuredR2>,
}

/// The transverse relaxation rate as spin echoes tell it.
#[derive(Clone, Debug)]
pub struct MeasuredR2 {
    /// What messages call it: its file, usually.
    pub name: String,
    /// R2 per second on the echoes' grid; zero where it is not known.
    pub per_s: Volume<f32>,
}

impl GradientEchoScan {
    /// Joins echoes (in the order of their times) with the main field: its strength in tesla and
    /// its direction along the voxel axes (see [`field_direction`]).
    ///
    /// # Errors
    /// If there are no echoes, grids differ, echo times or field strength cannot be or are out of
    /// order, a voxel is not finite, a magnitude is negative or zero everywhere, or a phase is flat.
    pub fn new(
        echoes: Vec<Echo>,
        field_strength_t: f64,
        b0_direction: [f64; 3],
    ) -> Result<Self, ReconError> {
        let first = echoes.first().ok_or(ReconError::NoEchoes)?;
        if let Some(remedy) = limits::field_strength_fault(field_strength_t) {
            return Err(ReconError::FieldStrength { tesla: field_strength_t, remedy });
        }
        let length = Vector3::from(b0_direction).norm();
        if !(length.is_finite() && length > 1e-6) {
            return Err(ReconError::FieldDirection { direction: b0_direction });
        }
        let b0_direction = b0_direction.map(|along| along / length);
        for echo in &echoes {
            check_echo(echo, first)?;
        }
        for pair in echoes.windows(2) {
            if pair[1].echo_time_s <= pair[0].echo_time_s {
                return Err(ReconError::EchoTimeOrder {
                    earlier_s: pair[0].echo_time_s,
                    later_s: pair[1].echo_time_s,
                    name: pair[1].name.clone(),
                });
            }
        }
        Ok(Self { echoes, field_strength_t, b0_direction, slice_axis: None, r2: None })
    }

    /// With the voxel axis (0 to 2) across slices as the acquisition tells it, which decides where the voxels' size
    /// does not (see [`crate::swi::slice_axis`]).
    #[must_use]
    pub fn with_slice_axis(self, slice_axis: Option<usize>) -> Self {
        Self { slice_axis: slice_axis.filter(|&axis| axis < 3), ..self }
    }

    /// The voxel axis across slices, if the acquisition tells it.
    pub fn slice_axis(&self) -> Option<usize> {
        self.slice_axis
    }

    /// With a map of R2, to separate susceptibility by.
    ///
    /// # Errors
    /// If it has another grid than the echoes.
    pub fn with_r2(self, r2: MeasuredR2) -> Result<Self, ReconError> {
        check_same_grid(
            (Path::new(&self.echoes[0].name), self.grid()),
            (Path::new(&r2.name), r2.per_s.grid()),
            "resample the map of R2 to the echoes' grid",
        )?;
        Ok(Self { r2: Some(r2), ..self })
    }

    /// R2, if it was measured.
    pub fn r2(&self) -> Option<&MeasuredR2> {
        self.r2.as_ref()
    }

    /// The echoes, in order of time.
    pub fn echoes(&self) -> &[Echo] {
        &self.echoes
    }

    /// The echoes, to correct their phase.
    pub(crate) fn echoes_mut(&mut self) -> &mut [Echo] {
        &mut self.echoes
    }

    /// Echo times in seconds.
    pub fn echo_times_s(&self) -> Vec<f64> {
        self.echoes.iter().map(|echo| echo.echo_time_s).collect()
    }

    /// The grid that all images share.
    pub fn grid(&self) -> &Grid {
        self.echoes[0].magnitude.grid()
    }

    /// Tesla.
    pub fn field_strength_t(&self) -> f64 {
        self.field_strength_t
    }

    /// Unit vector of the main field along the voxel axes.
    pub fn b0_direction(&self) -> [f64; 3] {
        self.b0_direction
    }

    /// Radians that one ppm of field adds to the phase in a second.
    pub fn radians_per_ppm_second(&self) -> f64 {
        crate::radians_per_ppm_second(self.field_strength_t)
    }
}

fn check_echo(echo: &Echo, first: &Echo) -> Result<(), ReconError> {
    let name = || echo.name.clone();
    if let Some(remedy) = limits::echo_time_fault(echo.echo_time_s) {
        return Err(ReconError::EchoTime { echo_time_s: echo.echo_time_s, remedy, name: name() });
    }
    let grid = first.magnitude.grid();
    for other in [echo.magnitude.grid(), echo.phase_rad.grid()] {
        check_same_grid(
            (Path::new(&first.name), grid),
            (Path::new(&echo.name), other),
            "all echoes of a scan, magnitude and phase, have one grid",
        )?;
    }
    for volume in [&echo.magnitude, &echo.phase_rad] {
        let count = volume.data().iter().filter(|value| !value.is_finite()).count();
        if count > 0 {
            return Err(ReconError::NonFinite { count, name: name() });
        }
    }
    let (least, most) = range(&echo.magnitude);
    if least == 0.0 && most == 0.0 {
        return Err(ReconError::EmptyEcho { name: name() });
    }
    // Squares of it must stay within single precision.
    if least < 0.0 || !(1e-12..=1e15).contains(&most) {
        return Err(ReconError::MagnitudeRange { least, most, name: name() });
    }
    let (least, most) = range(&echo.phase_rad);
    if least == most {
        return Err(ReconError::FlatPhase { value: least, name: name() });
    }
    Ok(())
}

/// Least and greatest value of an image.
pub(crate) fn range(volume: &Volume<f32>) -> (f32, f32) {
    let values = volume.data().iter();
    values.fold((f32::INFINITY, f32::NEG_INFINITY), |(least, most), &value| {
        (least.min(value), most.max(value))
    })
}

/// The main field's direction along the voxel axes of `grid`: the scanner's (and the patient's,
/// lying on the back) foot-to-head axis, seen from oblique slices.
///
/// ```
/// use deepmir_recon::scan::field_direction;
/// use deepmir_volume::{Affine, Grid};
///
/// let grid = Grid::new([8, 8, 4], Affine::from_spacing([0.5, 0.5, 2.0], [0.0; 3]))?;
/// assert_eq!(field_direction(&grid), [0.0, 0.0, 1.0]);
/// # Ok::<(), deepmir_volume::VolumeError>(())
/// ```
pub fn field_direction(grid: &Grid) -> [f64; 3] {
    let sizes = grid.voxel_sizes_mm();
    let linear = grid.affine().linear();
    let along: [f64; 3] = std::array::from_fn(|axis| linear[(2, axis)] / sizes[axis]);
    let length = Vector3::from(along).norm();
    along.map(|value| value / length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use deepmir_volume::Affine;

    #[test]
    fn oblique_slices_tilt_the_field() {
        let (sin, cos) = 20_f64.to_radians().sin_cos();
        // Slices tilted about the x axis, columns running backwards.
        let rows = [
            [0.8, 0.0, 0.0, 0.0],
            [0.0, -0.8 * cos, -2.0 * sin, 0.0],
            [0.0, -0.8 * sin, 2.0 * cos, 0.0],
            [0.0, 0.0, 0.0, 1.0],
        ];
        let grid = Grid::new([4, 4, 4], Affine::from_rows(rows).unwrap()).unwrap();
        let direction = field_direction(&grid);
        for (got, want) in direction.into_iter().zip([0.0, -sin, cos]) {
            assert!((got - want).abs() < 1e-12);
        }
    }
}
