"""The house: which way imports go, what needs torch, how long modules are, what may stand on disk."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MODULES = [
    path for room in ("data", "models", "training", "mt_service") for path in sorted((ROOT / room).rglob("*.py"))
]


def python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)


def test_imports_go_one_way() -> None:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("module", ["scheduler", "worker", "interface"])
def test_scheduling_needs_no_torch(module: str) -> None:
    done = python(f"import sys; sys.modules['torch'] = None; import mt_service.engine.{module}")
    assert done.returncode == 0, done.stderr


def test_the_command_line_helps_without_loading_torch() -> None:
    code = "import sys, mt_service.cli; sys.exit('torch' in sys.modules or 'fastapi' in sys.modules)"
    assert python(code).returncode == 0


def test_the_server_loads_nothing_of_training() -> None:
    code = "import sys, mt_service.server; sys.exit(any(name.split('.')[0] == 'training' for name in sys.modules))"
    assert python(code).returncode == 0


def test_serving_does_not_load_what_reads_other_formats_of_corpora() -> None:
    code = "import sys, mt_service.server, mt_service.registry; sys.exit('lxml' in sys.modules)"
    assert python(code).returncode == 0


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_modules_stay_short_and_name_no_code_on_disk(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= 400
    assert not re.search(r"\b(pickle|joblib|marshal)\b|torch\.(load|save)\(", text)
