#!/usr/bin/env python3
"""Compresses DICOM files without loss (even series by JPEG 2000, odd ones by JPEG-LS), and zips them.

    python3 bench/dicom/compress_and_zip.py EXPORT STUDY.zip

`deepmir import` must make the same images of STUDY.zip as of EXPORT. Needs pydicom, pyjpegls and pylibjpeg-openjpeg.
"""

import io
import pathlib
import sys
import zipfile

import pydicom
from pydicom.uid import JPEG2000Lossless, JPEGLSLossless


def main():
    export, study = map(pathlib.Path, sys.argv[1:])
    with zipfile.ZipFile(study, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for path in sorted(filter(pathlib.Path.is_file, export.rglob("*"))):
            one = pydicom.dcmread(path)
            syntax = JPEGLSLossless if one.SeriesNumber % 2 else JPEG2000Lossless
            one.compress(syntax, generate_instance_uid=False)
            packed = io.BytesIO()
            one.save_as(packed)
            archive.writestr(str(path.relative_to(export)), packed.getvalue())


main()
