#!/bin/sh
# Validates the published descriptions with a tool from outside. Installs it into a folder of its own when it is not there.
set -eu
cd "$(dirname "$0")/.."
python=python3
if ! $python -c 'import openapi_spec_validator, jsonschema, asyncapi3' 2>/dev/null; then
    python=.build/validators/bin/python
    if ! [ -x "$python" ] || ! $python -c 'import openapi_spec_validator, jsonschema, asyncapi3' 2>/dev/null; then
        mkdir -p .build
        python3 -m venv .build/validators
        .build/validators/bin/pip install -q 'openapi-spec-validator==0.9.0' 'jsonschema==4.26.0' 'asyncapi3==0.0.2'
    fi
fi
$python - <<'PYTHON'
import glob, json, warnings

warnings.simplefilter("ignore")
from asyncapi3 import AsyncAPI3
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

for path in sorted(glob.glob("Schemas/openapi/*.json")):
    validate(json.load(open(path)))
    print(path, "is valid OpenAPI 3.1")
AsyncAPI3.model_validate(json.load(open("Schemas/asyncapi.json")))
print("Schemas/asyncapi.json is valid AsyncAPI 3.0")
for path in sorted(glob.glob("Schemas/**/*.schema.json", recursive=True)):
    Draft202012Validator.check_schema(json.load(open(path)))
    print(path, "is valid JSON Schema 2020-12")
PYTHON
