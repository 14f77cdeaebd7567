"""Settings every test shares: no Hub, one calm thread, and no live drawing."""

import os

os.environ.update(
    HF_HUB_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1", OMP_NUM_THREADS="1", OMP_WAIT_POLICY="PASSIVE", COLUMNS="200"
)
os.environ.pop("OPENAI_API_KEY", None)
