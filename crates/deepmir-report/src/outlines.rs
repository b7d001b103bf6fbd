//! Lesions as they are outlined: each by itself, so that two that touch are not drawn as one.

use deepmir_lesion::{Lesion, LesionClass, numbered};
use deepmir_volume::{Grid, Orientation, Volume};

/// The lesions of a table in an image turned to RAS.
pub(crate) struct Outlines {
    numbers: Volume<u16>,
    classes: Vec<LesionClass>,
}

impl Outlines {
    /// Of lesions on `grid`, in the order of the table.
    pub fn new<'a>(lesions: impl IntoIterator<Item = &'a Lesion>, grid: &Grid) -> Self {
        let lesions: Vec<&Lesion> = lesions.into_iter().collect();
        let numbers = numbered(lesions.iter().copied(), grid);
        let numbers = Orientation::of(grid.affine()).to_ras(&numbers);
        Self { numbers, classes: lesions.into_iter().map(|lesion| lesion.class).collect() }
    }

    /// The grid in RAS order.
    pub fn grid(&self) -> &Grid {
        self.numbers.grid()
    }

    /// The number of the lesion at a voxel, from 1 on; 0 where there is none.
    pub fn number(&self, voxel: [usize; 3]) -> u16 {
        self.numbers[voxel]
    }

    /// The class whose colour a pixel gets, by the lesion's number there and those beside it. The outline runs just
    /// outside a lesion, so that the lesion itself stays to be seen; where two touch, through the later one.
    pub fn colour(&self, here: u16, beside: impl IntoIterator<Item = u16>) -> Option<LesionClass> {
        let number = beside.into_iter().find(|&number| number != 0 && (here == 0 || number < here));
        self.classes.get(usize::from(number?).checked_sub(1)?).copied()
    }

    /// The lesions on the RAS grid, in their order; one without voxels stays.
    pub fn lesions(&self) -> Vec<Lesion> {
        let mut voxels = vec![Vec::new(); self.classes.len()];
        for (index, &number) in self.numbers.data().iter().enumerate() {
            if let Some(place) = usize::from(number).checked_sub(1) {
                voxels[place].push(index);
            }
        }
        let classes = self.classes.iter().copied();
        let lesions = classes.zip(voxels);
        lesions.map(|(class, voxels)| Lesion::new(class, voxels, self.grid())).collect()
    }
}
