import pytest

from replica.report.labels import name_label
from replica.scan.dataset import latex_name


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("m", "$m$"),
        ("q_0", "$q_{0}$"),
        ("lambda", r"$\lambda$"),
        ("Delta", r"$\Delta$"),
        ("qhat", r"$\hat{q}$"),
        ("U_1[1,12]", "$U_{1}^{1,12}$"),
        ("mse", "mse"),
        ("test_error", "test error"),
        ("replicon", "replicon"),
    ],
)
def test_symbols_are_mathematics_and_words_are_words(name, label):
    assert name_label(name, latex_name(name)) == label
