#!/usr/bin/env python3
"""Writes the raw echoes and T2w of a phantom as a Siemens scanner exports them: one slice a file, phase from 0 to 4095.

    python3 bench/dicom/phantom_to_dicom.py PHANTOMS SUBJECT OUT [COPIES]

PHANTOMS is a dataset of `deepmir phantom --raw`. With COPIES, as many patients with the same images, for timing. What
`deepmir import` and `run` make of OUT can be compared with what `run` makes of PHANTOMS. Needs nibabel, numpy and pydicom.
"""

import json
import pathlib
import sys

import nibabel
import numpy as np
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

ROOT = "1.2.826.0.1.3680043.8.498.44"
CLASSIC = "1.2.840.10008.5.1.4.1.1.4"


def series(image, sidecar, patient, number, kind, echo, folder, scale):
    """One image as a series of slices."""
    data = image.get_fdata(dtype=np.float32)
    # From RAS to LPS; columns run along the first voxel axis, rows along the second.
    affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ image.affine
    sizes = np.linalg.norm(affine[:3, :3], axis=0)
    row, column = affine[:3, 0] / sizes[0], affine[:3, 1] / sizes[1]
    low, slope = scale
    stored = np.clip(np.round((data - low) / slope), 0, 4095).astype(np.uint16)
    folder.mkdir(parents=True, exist_ok=True)
    for k in range(data.shape[2]):
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID = CLASSIC
        meta.MediaStorageSOPInstanceUID = f"{ROOT}.{patient}.{number}.{echo}.{k + 1}"
        meta.TransferSyntaxUID, meta.ImplementationClassUID = ExplicitVRLittleEndian, ROOT
        one = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
        one.SOPClassUID, one.SOPInstanceUID = CLASSIC, meta.MediaStorageSOPInstanceUID
        one.PatientName, one.PatientID = f"SECRET^NAME{patient}", f"SECRET{patient}"
        one.StudyInstanceUID, one.SeriesInstanceUID = f"{ROOT}.{patient}", f"{ROOT}.{patient}.{number}"
        one.FrameOfReferenceUID = f"{ROOT}.{patient}.9"
        one.Modality, one.Manufacturer, one.ManufacturerModelName = "MR", "SIEMENS", "Prisma"
        one.SeriesNumber, one.InstanceNumber, one.AcquisitionNumber = number, echo * 1000 + k + 1, 1
        one.StudyDate, one.AcquisitionDate, one.AcquisitionTime = "20240501", "20240501", "101500"
        one.SeriesDescription = one.ProtocolName = "t2_tse_tra" if kind is None else "gre_me_qsm"
        one.ImageType = ["ORIGINAL", "PRIMARY", kind or "M", "ND"]
        one.ScanningSequence, one.SequenceVariant = ("SE", "SK") if kind is None else ("GR", "SP")
        one.ScanOptions, one.MRAcquisitionType = "", "2D" if kind is None else "3D"
        one.EchoTime = f"{1000 * sidecar['EchoTime']:.6g}"
        repetition = sidecar.get("RepetitionTime") or sidecar["RepetitionTimeExcitation"]
        one.RepetitionTime = f"{1000 * repetition:.6g}"
        one.FlipAngle, one.EchoNumbers = sidecar.get("FlipAngle", 90), echo
        one.MagneticFieldStrength = sidecar["MagneticFieldStrength"]
        one.SliceThickness = one.SpacingBetweenSlices = f"{sizes[2]:.9g}"
        one.PixelSpacing = [f"{sizes[1]:.9g}", f"{sizes[0]:.9g}"]
        one.ImageOrientationPatient = [f"{v:.9g}" for v in [*row, *column]]
        one.ImagePositionPatient = [f"{v:.9g}" for v in (affine @ [0, 0, k, 1])[:3]]
        one.Rows, one.Columns = data.shape[1], data.shape[0]
        one.SamplesPerPixel, one.PhotometricInterpretation = 1, "MONOCHROME2"
        one.BitsAllocated, one.BitsStored, one.HighBit, one.PixelRepresentation = 16, 12, 11, 0
        # A phase says its turn by slope and intercept; magnitudes have no unit.
        if kind == "P":
            one.RescaleSlope, one.RescaleIntercept = "2", "-4096"
        one.PixelData = stored[:, :, k].T.tobytes()
        one.save_as(folder / f"{number:02}-{echo}-{k + 1:04}", enforce_file_format=True)


def main():
    phantoms, subject, out = sys.argv[1:4]
    copies = int(sys.argv[4]) if len(sys.argv) > 4 else 1
    anat, out = pathlib.Path(phantoms) / subject / "anat", pathlib.Path(out)

    def read(suffix):
        stem = anat / f"{subject}_{suffix}"
        return nibabel.load(f"{stem}.nii.gz"), json.loads(pathlib.Path(f"{stem}.json").read_text())

    for patient in range(1, copies + 1):
        folder = out / f"patient{patient}"
        echo, largest = 1, None
        while (anat / f"{subject}_echo-{echo}_part-mag_MEGRE.nii.gz").exists():
            image, sidecar = read(f"echo-{echo}_part-mag_MEGRE")
            largest = largest or float(image.get_fdata().max())
            series(image, sidecar, patient, 5, "M", echo, folder, (0.0, largest / 4095))
            image, sidecar = read(f"echo-{echo}_part-phase_MEGRE")
            series(image, sidecar, patient, 6, "P", echo, folder, (-np.pi, np.pi / 2048))
            echo += 1
        image, sidecar = read("T2w")
        series(image, sidecar, patient, 7, None, 1, folder, (0.0, float(image.get_fdata().max()) / 4095))


main()
