//! Images in the formats of other programs.

use std::fs;
use std::path::Path;

use deepmir_volume::Volume;

fn voxels(volume: &Volume<f32>, bytes: fn(f32) -> [u8; 4]) -> Vec<u8> {
    volume.data().iter().flat_map(|&value| bytes(value)).collect()
}

/// The directions of the axes, of length 1, and where the first voxel is.
fn axes(volume: &Volume<f32>) -> ([[f64; 3]; 3], [f64; 3]) {
    let affine = volume.grid().affine();
    let sizes = affine.voxel_sizes_mm();
    let direction = |axis: usize| {
        let mut step = [0.0; 3];
        step[axis] = 1.0 / sizes[axis];
        affine.apply_direction(step)
    };
    (std::array::from_fn(direction), affine.apply([0.0; 3]))
}

fn listed(numbers: impl IntoIterator<Item = f64>, separator: &str) -> String {
    numbers.into_iter().map(|number| number.to_string()).collect::<Vec<_>>().join(separator)
}

/// Writes an NRRD file.
///
/// # Panics
/// If the file cannot be written.
pub fn write_nrrd(path: &Path, volume: &Volume<f32>) {
    let (directions, origin) = axes(volume);
    let sizes = volume.grid().voxel_sizes_mm();
    let vector = |axis: usize| {
        let step = directions[axis].map(|part| part * sizes[axis]);
        format!("({})", listed(step, ","))
    };
    let [nx, ny, nz] = volume.shape();
    let text = format!(
        "NRRD0004\n# made for a test\ntype: float\ndimension: 3\nspace: right-anterior-superior\nsizes: {nx} {ny} {nz}\n\
         space directions: {} {} {}\nendian: little\nencoding: raw\nspace origin: ({})\n\n",
        vector(0),
        vector(1),
        vector(2),
        listed(origin, ",")
    );
    fs::write(path, [text.into_bytes(), voxels(volume, f32::to_le_bytes)].concat()).unwrap();
}

/// Writes a MetaImage file with its voxels inside.
///
/// # Panics
/// If the file cannot be written.
pub fn write_metaimage(path: &Path, volume: &Volume<f32>) {
    let (directions, origin) = axes(volume);
    let lps = |[x, y, z]: [f64; 3]| [-x, -y, z];
    let [nx, ny, nz] = volume.shape();
    let text = format!(
        "ObjectType = Image\nNDims = 3\nBinaryData = True\nBinaryDataByteOrderMSB = False\nCompressedData = False\n\
         TransformMatrix = {}\nOffset = {}\nElementSpacing = {}\nDimSize = {nx} {ny} {nz}\nElementType = MET_FLOAT\n\
         ElementDataFile = LOCAL\n",
        listed(directions.into_iter().flat_map(lps), " "),
        listed(lps(origin), " "),
        listed(volume.grid().voxel_sizes_mm(), " "),
    );
    fs::write(path, [text.into_bytes(), voxels(volume, f32::to_le_bytes)].concat()).unwrap();
}

/// Writes an MGH file.
///
/// # Panics
/// If the file cannot be written.
pub fn write_mgh(path: &Path, volume: &Volume<f32>) {
    let (directions, _) = axes(volume);
    let shape = volume.shape();
    let middle = volume.grid().affine().apply(shape.map(|length| length as f64 / 2.0));
    let mut bytes = Vec::new();
    for number in [1, shape[0] as i32, shape[1] as i32, shape[2] as i32, 1, 3, 0] {
        bytes.extend(number.to_be_bytes());
    }
    bytes.extend(1_i16.to_be_bytes());
    let places = directions.into_iter().flatten().chain(middle);
    for number in volume.grid().voxel_sizes_mm().into_iter().chain(places) {
        bytes.extend((number as f32).to_be_bytes());
    }
    bytes.resize(284, 0);
    bytes.extend(voxels(volume, f32::to_be_bytes));
    // What FreeSurfer writes behind the voxels: repetition and echo time, angles.
    for number in [30_f32, 0.26, 20.0, 0.0, 0.0] {
        bytes.extend(number.to_be_bytes());
    }
    fs::write(path, bytes).unwrap();
}
