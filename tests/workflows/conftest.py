"""What tests of workflows share, among it runs that are not trained."""

import dataclasses

import pytest

from mgtl_tf.workflows import conditions, further_runs, study_runs
from tests.reproduction import fake_trainer
from tests.workflows.tiny_study import draw, flag_of, measure, measure_also


@pytest.fixture(scope="module", autouse=True)
def _plain_graphs(plain_graphs):
    """They are of files and their order; kernels are tested elsewhere."""


@pytest.fixture
def trained(monkeypatch):
    """Names of runs; nothing is trained: files of finished runs are written.

    That a system is trained by its own command, test_systems_learn.py and
    test_study.py show.
    """
    monkeypatch.setattr(study_runs, "make_world", draw)
    names = []

    def run_all(jobs, environments):
        for job in jobs:
            names.append(job.name)
            config, folder = job.command[0], flag_of(job, "run_dir")
            fake_trainer.write(folder, dataclasses.asdict(config))

    monkeypatch.setattr(study_runs, "training_command", lambda c: [c])
    monkeypatch.setattr(study_runs, "run_all", run_all)
    monkeypatch.setattr(conditions, "run_all", measure)
    monkeypatch.setattr(further_runs, "run_all", measure_also)
    return names
