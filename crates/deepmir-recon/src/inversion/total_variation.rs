//! Weighted inversion with total variation.

use deepmir_volume::{Volume, statistics};
use rayon::prelude::*;

use super::InversionInput;
use super::closed_form::{MARGIN_MM, squared_gradient_kernel};
use crate::dipole::dipole_kernel;
use crate::fourier::{Complex32, Fourier};
use crate::padding::{Padding, voxels_in};

/// The penalty that couples the gradients to their split copy, over the regularisation.
const GRADIENT_PENALTY: f32 = 50.0;
/// The penalty that couples the field to its split copy. Well below the weights, which are near 1: with
/// 1, forty steps leave half of what varies slowly undone.
const FIELD_PENALTY: f32 = 0.04;

/// Minimises ½‖W(Dχ − f)‖² + λ‖M∇χ‖₁. Splitting both the gradients and the field gives steps in
/// closed form: χ in Fourier space, the gradients by soft thresholds, the field by weighted means.
/// Outside the mask W is zero and χ is free, so that what is left of the background can be explained
/// by sources there.
pub(super) fn invert(
    input: &InversionInput,
    regularisation: f32,
    edge_fraction: f32,
    iterations: usize,
) -> Volume<f32> {
    let grid = input.local_field_ppm.grid();
    let padding = Padding::new(grid, voxels_in(grid, MARGIN_MM));
    let mut state = State::new(input, &padding, regularisation, edge_fraction);
    for _ in 0..iterations {
        state.step();
    }
    padding.crop_data(&state.chi)
}

struct State {
    fourier: Fourier,
    shape: [usize; 3],
    sizes_mm: [f32; 3],
    dipole: Vec<f32>,
    /// 1 / (μ₁|∇|² + μ₂D²).
    denominator: Vec<f32>,
    gradient_penalty: f32,
    threshold: f32,
    /// W².
    squared_weights: Vec<f32>,
    field: Vec<f32>,
    /// Gradients that cost nothing, as bits 0 to 2 for x, y, z: edges of the magnitude.
    edges: Vec<u8>,
    chi: Vec<f32>,
    /// Dχ.
    chi_field: Vec<f32>,
    /// Scaled multipliers of the gradients.
    gradient_duals: [Vec<f32>; 3],
    /// Scaled multiplier of the field.
    field_dual: Vec<f32>,
    spectrum: Vec<Complex32>,
    other_spectrum: Vec<Complex32>,
}

impl State {
    fn new(
        input: &InversionInput,
        padding: &Padding,
        regularisation: f32,
        edge_fraction: f32,
    ) -> Self {
        let shape = padding.grid().shape();
        let sizes = padding.grid().voxel_sizes_mm();
        let fourier = Fourier::new(shape);
        let dipole = dipole_kernel(&fourier, sizes, input.b0_direction);
        let gradient_penalty = GRADIENT_PENALTY * regularisation;
        let mut denominator = squared_gradient_kernel(&fourier, sizes);
        for (value, &dipole) in denominator.iter_mut().zip(&dipole) {
            let sum = gradient_penalty * *value + FIELD_PENALTY * dipole * dipole;
            *value = if sum > 1e-12 { 1.0 / sum } else { 0.0 };
        }
        let squared_weights: Vec<f32> = padding
            .pad(input.weights, 0.0)
            .data()
            .iter()
            .zip(padding.pad(input.mask, false).data())
            .map(|(&weight, &inside)| if inside { weight * weight } else { 0.0 })
            .collect();
        let count = fourier.voxel_count();
        let (spectrum, other_spectrum) = (fourier.spectrum(), fourier.spectrum());
        Self {
            shape,
            sizes_mm: sizes.map(|size| size as f32),
            dipole,
            denominator,
            gradient_penalty,
            threshold: 1.0 / GRADIENT_PENALTY,
            squared_weights,
            field: padding.pad(input.local_field_ppm, 0.0).into_data(),
            edges: edges(input, padding, edge_fraction),
            chi: vec![0.0; count],
            chi_field: vec![0.0; count],
            gradient_duals: std::array::from_fn(|_| vec![0.0; count]),
            field_dual: vec![0.0; count],
            spectrum,
            other_spectrum,
            fourier,
        }
    }

    fn step(&mut self) {
        // ∇ᵀ(z₁ − s₁), into `divergence`.
        let mut divergence = vec![0.0_f32; self.chi.len()];
        for axis in 0..3 {
            self.split_gradient(axis, &mut divergence);
        }
        // The field's copy less its multiplier replaces Dχ until the new one is there.
        self.split_field();
        self.fourier.forward(&divergence, &mut self.spectrum);
        self.fourier.forward(&self.chi_field, &mut self.other_spectrum);
        let (mu, penalty) = (self.gradient_penalty, FIELD_PENALTY);
        self.spectrum
            .par_iter_mut()
            .zip(&mut self.other_spectrum)
            .zip(self.dipole.par_iter().zip(&self.denominator))
            .for_each(|((gradients, field), (&dipole, &inverse))| {
                let chi = (*gradients * mu + *field * (penalty * dipole)) * inverse;
                *gradients = chi;
                *field = chi * dipole;
            });
        self.fourier.inverse(&mut self.spectrum, &mut self.chi);
        self.fourier.inverse(&mut self.other_spectrum, &mut self.chi_field);
    }

    /// Soft thresholds of one gradient: updates its multiplier and adds the adjoint difference of
    /// z₁ − s₁ to `divergence`.
    fn split_gradient(&mut self, axis: usize, divergence: &mut [f32]) {
        let [nx, ny, nz] = self.shape;
        let area = nx * ny;
        let (chi, edges) = (&self.chi, &self.edges);
        let (threshold, size) = (self.threshold, self.sizes_mm[axis]);
        let mut split = vec![0.0_f32; chi.len()];
        let slices = self.gradient_duals[axis].par_chunks_mut(area).zip(split.par_chunks_mut(area));
        slices.enumerate().for_each(|(k, (duals, split))| {
            for (row, (duals, split)) in
                duals.chunks_exact_mut(nx).zip(split.chunks_exact_mut(nx)).enumerate()
            {
                let start = k * area + row * nx;
                let next_row = match axis {
                    0 => start,
                    1 => k * area + (row + 1) % ny * nx,
                    _ => (k + 1) % nz * area + row * nx,
                };
                for i in 0..nx {
                    let here = start + i;
                    let next = if axis == 0 { start + (i + 1) % nx } else { next_row + i };
                    let sum = (chi[next] - chi[here]) / size + duals[i];
                    let limit = if edges[here] >> axis & 1 == 1 { 0.0 } else { threshold };
                    let dual = sum.clamp(-limit, limit);
                    duals[i] = dual;
                    split[i] = sum - 2.0 * dual;
                }
            }
        });
        let split = &split;
        divergence.par_chunks_mut(area).enumerate().for_each(|(k, slice)| {
            for (row, to) in slice.chunks_exact_mut(nx).enumerate() {
                let start = k * area + row * nx;
                let before_row = match axis {
                    0 => start,
                    1 => k * area + (row + ny - 1) % ny * nx,
                    _ => (k + nz - 1) % nz * area + row * nx,
                };
                for (i, to) in to.iter_mut().enumerate() {
                    let before = if axis == 0 { start + (i + nx - 1) % nx } else { before_row + i };
                    *to += (split[before] - split[start + i]) / size;
                }
            }
        });
    }

    /// The weighted mean of the measured field and Dχ; leaves z₂ − s₂ in `chi_field`.
    fn split_field(&mut self) {
        self.chi_field
            .par_iter_mut()
            .zip(&mut self.field_dual)
            .zip(self.squared_weights.par_iter().zip(&self.field))
            .for_each(|((chi_field, dual), (&weight, &field))| {
                let sum = *chi_field + *dual;
                let split = (weight * field + FIELD_PENALTY * sum) / (weight + FIELD_PENALTY);
                *dual = sum - split;
                *chi_field = split - *dual;
            });
    }
}

/// Gradients outside the mask, and the steepest of the magnitude inside: `fraction` of them.
fn edges(input: &InversionInput, padding: &Padding, fraction: f32) -> Vec<u8> {
    let magnitude = padding.pad(input.magnitude, 0.0);
    let inside = padding.pad(input.mask, false);
    let free = |&inside: &bool| if inside { 0 } else { 0b111 };
    let mut edges: Vec<u8> = inside.data().iter().map(free).collect();
    if fraction <= 0.0 {
        return edges;
    }
    let [nx, ny, nz] = magnitude.shape();
    let strides = [1, nx, nx * ny];
    let sizes = padding.grid().voxel_sizes_mm();
    let slope = |here: usize, axis: usize| {
        let at = [here % nx, here / nx % ny, here / (nx * ny)][axis];
        let next = here + strides[axis];
        let known = at + 1 < [nx, ny, nz][axis] && inside.data()[here] && inside.data()[next];
        known.then(|| {
            let difference = magnitude.data()[next] - magnitude.data()[here];
            (difference / sizes[axis] as f32).abs()
        })
    };
    let mut slopes: Vec<f32> = (0..edges.len())
        .flat_map(|here| (0..3).filter_map(move |axis| slope(here, axis)))
        .collect();
    let Some(steep) = statistics::quantile(&mut slopes, 1.0 - f64::from(fraction)) else {
        return edges;
    };
    edges.par_iter_mut().enumerate().for_each(|(here, bits)| {
        for axis in 0..3 {
            if slope(here, axis).is_some_and(|slope| slope > steep) {
                *bits |= 1 << axis;
            }
        }
    });
    edges
}
