"""Reference values of the Gaussian mixture of arXiv:2002.11544.

Computed independently of the package, from a separate derivation of the model's equations; every
printed digit is trusted. Values are kept as they were printed, because the last digit is the
tolerance. The paper itself was not available for its numbers.
"""

import csv
from pathlib import Path

PARAMETERS = ("alpha", "lam", "rho", "Delta")

with Path(__file__).with_name("gaussian_mixture.csv").open() as file:
    SADDLE_POINTS = list(csv.DictReader(file))

# (loss, alpha, lambda, rho, Delta): conjugates, which fix the signs and scales.
CONJUGATES = {
    ("square", 2, 1, 0.5, 1): {
        "mhat": "0.8918058124", "qhat": "0.6447323080", "Vhat": "1.4142135624"
    },
    ("hinge", 2, 1, 0.2, 1): {
        "mhat": "0.7648069427", "qhat": "0.6881723101", "Vhat": "0.8449689551"
    },
    ("logistic", 5, 0.01, 0.2, 1): {
        "mhat": "0.4708657538", "qhat": "0.1975265348", "Vhat": "0.1342205582"
    },
}  # fmt: skip

# (alpha, rho, Delta): error of the Bayes-optimal classifier.
BAYES = {
    (2, 0.5, 1): "0.2071080891",
    (5, 0.5, 1): "0.1806552143",
    (0.5, 0.2, 1): "0.1768527665",
    (1, 0.2, 1): "0.1581395950",
    (2, 0.2, 1): "0.1409184308",
    (5, 0.2, 1): "0.1255910545",
    (1, 0.5, 0.3): "0.0546572881",
    (2, 0.5, 0.3): "0.0443296160",
    (0.5, 0.2, 0.3): "0.0553090542",
    (1, 0.2, 0.3): "0.0410386079",
    (2, 0.2, 0.3): "0.0334744567",
    (5, 0.2, 0.3): "0.0288634339",
}

# (rho, Delta): error of the classifier that knows the centroid.
ORACLE = {
    (0.5, 1): "0.1586552539",
    (0.2, 1): "0.1120665225",
    (0.5, 0.3): "0.0339445774",
    (0.2, 0.3): "0.0257857874",
}

# (alpha, rho, Delta): limit lambda -> 0 of the hinge loss below separability. kappa = 1/sqrt(q).
HARD_MARGIN = {
    (1, 0.5, 1): {"kappa": "0.7671443876", "alignment": "0.5291718034", "b": "0",
                  "test_error": "0.2983431374"},
    (1, 0.2, 1): {"kappa": "0.9840117364", "alignment": "0.4939260246", "b": "-0.6969372155",
                  "test_error": "0.2104600401"},
    (2, 0.5, 1): {"kappa": "0.3336536929", "alignment": "0.5775790797", "b": "0",
                  "test_error": "0.2817741672"},
    (3, 0.2, 1): {"kappa": "0.2611608091", "alignment": "0.5801397034", "b": "-1.8300407661",
                  "test_error": "0.2078679814"},
    (2, 0.5, 0.3): {"kappa": "0.4885332705", "alignment": "0.7493816351", "b": "0",
                    "test_error": "0.0856282740"},
}  # fmt: skip

# The logistic loss reaches the hard margin as 1/ln(1/lambda): error at (alpha, rho, Delta) =
# (1, 0.2, 1) by lambda, five digits.
SLOW_MARGIN = {1e-3: "0.19421", 1e-4: "0.19846", 1e-5: "0.20106", 1e-6: "0.20278"}

# (alpha, rho), Delta = 1: limit lambda -> 0 of the square loss.
RIDGELESS = {
    (0.5, 0.5): {"test_error": "0.3415456992"},
    (0.5, 0.2): {"test_error": "0.2506767178"},
    (2, 0.5): {"test_error": "0.2818514308"},
    (2, 0.2): {"test_error": "0.2192184384", "m": "0.3902439024", "q": "0.5425342058",
               "b": "-0.3658536585"},
}  # fmt: skip

# (loss, alpha, rho), lambda = 0, Delta = 1, above separability.
UNPENALISED = {
    ("logistic", 4, 0.5): {"m": "6.2462600773", "q": "82.1634592027", "b": "0",
                           "test_error": "0.2453809411", "train_loss": "0.1768963215"},
    ("logistic", 5, 0.5): {"m": "3.5386612914", "q": "21.1483854304", "b": "0",
                           "test_error": "0.2208026027"},
    ("logistic", 10, 0.5): {"m": "2.4240699345", "q": "7.4310460202", "b": "0",
                            "test_error": "0.1869364060"},
    ("logistic", 6, 0.2): {"m": "4.0085046269", "q": "29.4772485969", "b": "-2.7963620938",
                           "test_error": "0.1663630976"},
    ("logistic", 10, 0.2): {"m": "2.6214811413", "q": "9.5254772886", "b": "-1.8264449926",
                            "test_error": "0.1394867177"},
    ("hinge", 5, 0.5): {"m": "2.6445361141", "q": "12.5533384018", "b": "0",
                        "test_error": "0.2277138161", "train_loss": "0.2118894703"},
    ("hinge", 10, 0.2): {"m": "1.7739829471", "q": "4.5719865039", "b": "-1.2477942829",
                         "test_error": "0.1435978162"},
}  # fmt: skip

# (Delta, alpha), rho = 0.2: the lambda of least test error, and that error.
OPTIMAL_PENALTY = {
    (1, 0.5): {"square": ("0.64544", "0.1906586986"), "hinge": ("0.75625", "0.1913722569"),
               "logistic": ("0.048523", "0.1897921566")},
    (1, 1): {"square": ("0.88881", "0.1780541330"), "hinge": ("0.78249", "0.1793853486"),
             "logistic": ("0.10398", "0.1763189681")},
    (1, 2): {"square": ("1.1196", "0.1620353912"), "hinge": ("0.83041", "0.1636579075"),
             "logistic": ("0.17537", "0.1597177734")},
    (1, 5): {"square": ("1.1500", "0.1417786354"), "hinge": ("0.92810", "0.1432264030"),
             "logistic": ("0.27634", "0.1395973716")},
    (0.3, 0.5): {"square": ("0.079408", "0.0981871161"), "hinge": ("0.15071", "0.0938743012")},
    (0.3, 1): {"square": ("0.18315", "0.0727454327"), "hinge": ("0.22367", "0.0707205556")},
    (0.3, 2): {"square": ("0.29782", "0.0544179454"), "hinge": ("0.30737", "0.0541709363"),
               "logistic": ("0.012707", "0.0526723432")},
    (0.3, 5): {"square": ("0.41593", "0.0398941541"), "hinge": ("0.44914", "0.0405916983"),
               "logistic": ("0.043716", "0.0395758731")},
}  # fmt: skip

# (Delta, alpha), rho = 0.2: there the logistic optimum lies below lambda = 0.001, of this error.
BELOW_SMALL_PENALTY = {(0.3, 0.5): "0.0999597", (0.3, 1): "0.0693494"}


def assert_printed(value: float, printed: str) -> None:
    """Require the digits that were printed: half a unit in the last place, or the bound."""
    if printed.startswith("<"):
        assert abs(value) < float(printed[1:])
        return
    digits = len(printed.split(".")[1]) if "." in printed else 10
    assert abs(value - float(printed)) <= 0.501 * 10**-digits, f"{value:.12f} is not {printed}"
