"""What the examples in docstrings print, by function and statement; made by benchmarks/examples.py, do not edit."""

OUTPUTS = {
    "sigmoid": {
        "fa.sigmoid(x)":
            "array([0.11920292, 0.40131234, 0.5       , 0.66818777, 0.88079708])",
        "fa.sigmoid(x, out=x) is x  # in place":
            "True",
    },
    "sigmoid_backward": {
        "fa.sigmoid_backward(grad, x)":
            "array([0.10499359, 0.24026075, 0.25      , 0.22171287, 0.10499359])",
        "fa.sigmoid_backward(grad, y=y, out=grad)  # from the output, in place":
            "array([0.10499359, 0.24026075, 0.25      , 0.22171287, 0.10499359])",
    },
    "tanh": {
        "fa.tanh(x)":
            "array([-0.96402758, -0.37994896,  0.        ,  0.60436778,  0.96402758])",
        "fa.tanh(x, out=x) is x  # in place":
            "True",
    },
    "tanh_backward": {
        "fa.tanh_backward(grad, x)":
            "array([0.07065082, 0.85563879, 1.        , 0.63473959, 0.07065082])",
        "fa.tanh_backward(grad, y=y, out=grad)  # from the output, in place":
            "array([0.07065082, 0.85563879, 1.        , 0.63473959, 0.07065082])",
    },
    "relu": {
        "fa.relu(x)":
            "array([0. , 0. , 0. , 0.7, 2. ])",
        "fa.relu(x, out=x) is x  # in place":
            "True",
    },
    "relu_backward": {
        "fa.relu_backward(grad, x)":
            "array([0., 0., 0., 1., 1.])",
        "fa.relu_backward(grad, y=y, out=grad)  # from the output, in place":
            "array([0., 0., 0., 1., 1.])",
    },
    "leaky_relu": {
        "fa.leaky_relu(x)":
            "array([-0.02 , -0.004,  0.   ,  0.7  ,  2.   ])",
        "fa.leaky_relu(x, negative_slope=0.005)":
            "array([-0.01 , -0.002,  0.   ,  0.7  ,  2.   ])",
        "fa.leaky_relu(x, out=x) is x  # in place":
            "True",
    },
    "leaky_relu_backward": {
        "fa.leaky_relu_backward(grad, x)":
            "array([0.01, 0.01, 0.01, 1.  , 1.  ])",
        "fa.leaky_relu_backward(grad, y=y, out=grad)  # from the output, in place":
            "array([0.01, 0.01, 0.01, 1.  , 1.  ])",
    },
    "elu": {
        "fa.elu(x)":
            "array([-0.86466472, -0.32967995,  0.        ,  0.7       ,  2.        ])",
        "fa.elu(x, alpha=0.5)":
            "array([-0.43233236, -0.16483998,  0.        ,  0.7       ,  2.        ])",
        "fa.elu(x, out=x) is x  # in place":
            "True",
    },
    "elu_backward": {
        "fa.elu_backward(grad, x)":
            "array([0.13533528, 0.67032005, 1.        , 1.        , 1.        ])",
        "fa.elu_backward(grad, y=y, out=grad)  # from the output, in place":
            "array([0.13533528, 0.67032005, 1.        , 1.        , 1.        ])",
    },
    "relu6": {
        "fa.relu6(x)":
            "array([0., 0., 3., 6., 6.])",
        "fa.relu6(x, out=x) is x  # in place":
            "True",
    },
    "relu6_backward": {
        "fa.relu6_backward(grad, x)":
            "array([0., 0., 1., 0., 0.])",
        "fa.relu6_backward(grad, y=y, out=grad)  # from the output, in place":
            "array([0., 0., 1., 0., 0.])",
    },
    "relu_squared": {
        "fa.relu_squared(x)":
            "array([0.  , 0.  , 0.  , 0.49, 4.  ])",
        "fa.relu_squared(x, out=x) is x  # in place":
            "True",
    },
    "relu_squared_backward": {
        "fa.relu_squared_backward(grad, x)":
            "array([0. , 0. , 0. , 1.4, 4. ])",
        "fa.relu_squared_backward(grad, y=y, out=grad)  # from the output, in place":
            "array([0. , 0. , 0. , 1.4, 4. ])",
    },
    "selu": {
        "fa.selu(x)":
            "array([-1.52016647, -0.57961011,  0.        ,  0.73549069,  2.10140197])",
        "fa.selu(x, out=x) is x  # in place":
            "True",
    },
    "selu_backward": {
        "fa.selu_backward(grad, x)":
            "array([0.23793287, 1.17848923, 1.75809934, 1.05070099, 1.05070099])",
        "fa.selu_backward(grad, y=y, out=grad)  # from the output, in place":
            "array([0.23793287, 1.17848923, 1.75809934, 1.05070099, 1.05070099])",
    },
    "celu": {
        "fa.celu(x)":
            "array([-0.86466472, -0.32967995,  0.        ,  0.7       ,  2.        ])",
        "fa.celu(x, alpha=0.5)":
            "array([-0.49084218, -0.27533552,  0.        ,  0.7       ,  2.        ])",
        "fa.celu(x, out=x) is x  # in place":
            "True",
    },
    "celu_backward": {
        "fa.celu_backward(grad, x)":
            "array([0.13533528, 0.67032005, 1.        , 1.        , 1.        ])",
        "fa.celu_backward(grad, y=y, out=grad)  # from the output, in place":
            "array([0.13533528, 0.67032005, 1.        , 1.        , 1.        ])",
    },
    "gelu": {
        "fa.gelu(x)":
            "array([-0.04550026, -0.1378313 ,  0.        ,  0.53062544,  1.95449974])",
        "fa.gelu(x, approximate='tanh')":
            "array([-0.04540231, -0.13783883,  0.        ,  0.53057013,  1.95459769])",
        "fa.gelu(x, out=x) is x  # in place":
            "True",
    },
    "gelu_backward": {
        "fa.gelu_backward(grad, x)":
            "array([-0.0852318,  0.1972702,  0.5      ,  0.9766141,  1.0852318])",
        "fa.gelu_backward(grad, x, out=grad) is grad  # in place":
            "True",
    },
    "quick_gelu": {
        "fa.quick_gelu(x)":
            "array([-0.06434138, -0.13443311,  0.        ,  0.53689395,  1.93565862])",
        "fa.quick_gelu(x, out=x) is x  # in place":
            "True",
    },
    "quick_gelu_backward": {
        "fa.quick_gelu_backward(grad, x)":
            "array([-0.07381535,  0.18417509,  0.5       ,  0.97991314,  1.07381535])",
        "fa.quick_gelu_backward(grad, x, out=grad) is grad  # in place":
            "True",
    },
    "silu": {
        "fa.silu(x)":
            "array([-0.23840584, -0.16052494,  0.        ,  0.46773144,  1.76159416])",
        "fa.silu(x, beta=0.5)":
            "array([-0.53788284, -0.1800664 ,  0.        ,  0.41063231,  1.46211716])",
        "fa.silu(x, out=x) is x  # in place":
            "True",
    },
    "silu_backward": {
        "fa.silu_backward(grad, x)":
            "array([-0.09078425,  0.30520804,  0.5       ,  0.82338678,  1.09078425])",
        "fa.silu_backward(grad, x, out=grad) is grad  # in place":
            "True",
    },
    "mish": {
        "fa.mish(x)":
            "array([-0.25250148, -0.18891648,  0.        ,  0.56114838,  1.94395896])",
        "fa.mish(x, out=x) is x  # in place":
            "True",
    },
    "mish_backward": {
        "fa.mish_backward(grad, x)":
            "array([-0.10835509,  0.3475728 ,  0.6       ,  0.96879487,  1.06931793])",
        "fa.mish_backward(grad, x, out=grad) is grad  # in place":
            "True",
    },
    "softplus": {
        "fa.softplus(x)":
            "array([0.12692801, 0.51301525, 0.69314718, 1.10318605, 2.12692801])",
        "fa.softplus(x, beta=0.5)":
            "array([0.62652338, 1.19627774, 1.38629436, 1.76676431, 2.62652338])",
        "fa.softplus(x, out=x) is x  # in place":
            "True",
    },
    "softplus_backward": {
        "fa.softplus_backward(grad, x)":
            "array([0.11920292, 0.40131234, 0.5       , 0.66818777, 0.88079708])",
        "fa.softplus_backward(grad, y=y, out=grad)  # from the output, in place":
            "array([0.11920292, 0.40131234, 0.5       , 0.66818777, 0.88079708])",
    },
    "softsign": {
        "fa.softsign(x)":
            "array([-0.66666667, -0.28571429,  0.        ,  0.41176471,  0.66666667])",
        "fa.softsign(x, out=x) is x  # in place":
            "True",
    },
    "softsign_backward": {
        "fa.softsign_backward(grad, x)":
            "array([0.11111111, 0.51020408, 1.        , 0.34602076, 0.11111111])",
        "fa.softsign_backward(grad, y=y, out=grad)  # from the output, in place":
            "array([0.11111111, 0.51020408, 1.        , 0.34602076, 0.11111111])",
    },
    "log_sigmoid": {
        "fa.log_sigmoid(x)":
            "array([-2.12692801, -0.91301525, -0.69314718, -0.40318605, -0.12692801])",
        "fa.log_sigmoid(x, out=x) is x  # in place":
            "True",
    },
    "log_sigmoid_backward": {
        "fa.log_sigmoid_backward(grad, x)":
            "array([0.88079708, 0.59868766, 0.5       , 0.33181223, 0.11920292])",
        "fa.log_sigmoid_backward(grad, y=y, out=grad)  # from the output, in place":
            "array([0.88079708, 0.59868766, 0.5       , 0.33181223, 0.11920292])",
    },
    "hard_sigmoid": {
        "fa.hard_sigmoid(x)":
            "array([0.  , 0.25, 0.5 , 0.75, 1.  ])",
        "fa.hard_sigmoid(x, out=x) is x  # in place":
            "True",
    },
    "hard_sigmoid_backward": {
        "fa.hard_sigmoid_backward(grad, x)":
            "array([0.        , 0.16666667, 0.16666667, 0.16666667, 0.        ])",
        "fa.hard_sigmoid_backward(grad, y=y, out=grad)  # from the output, in place":
            "array([0.        , 0.16666667, 0.16666667, 0.16666667, 0.        ])",
    },
    "clipped_linear": {
        "fa.clipped_linear(x)":
            "array([0. , 0. , 0. , 0.7, 1. ])",
        "fa.clipped_linear(x, slope=0.5)":
            "array([0.  , 0.  , 0.  , 0.35, 1.  ])",
        "fa.clipped_linear(x, out=x) is x  # in place":
            "True",
    },
    "clipped_linear_backward": {
        "fa.clipped_linear_backward(grad, x)":
            "array([0., 0., 0., 1., 0.])",
        "fa.clipped_linear_backward(grad, y=y, out=grad)  # from the output, in place":
            "array([0., 0., 0., 1., 0.])",
    },
    "hard_swish": {
        "fa.hard_swish(x)":
            "array([ 0.   , -0.375,  0.   ,  1.125,  4.   ])",
        "fa.hard_swish(x, out=x) is x  # in place":
            "True",
    },
    "hard_swish_backward": {
        "fa.hard_swish_backward(grad, x)":
            "array([0. , 0. , 0.5, 1. , 1. ])",
        "fa.hard_swish_backward(grad, x, out=grad) is grad  # in place":
            "True",
    },
    "hard_tanh": {
        "fa.hard_tanh(x)":
            "array([-1. , -0.4,  0. ,  0.7,  1. ])",
        "fa.hard_tanh(x, min_val=-0.5)":
            "array([-0.5, -0.4,  0. ,  0.7,  1. ])",
        "fa.hard_tanh(x, out=x) is x  # in place":
            "True",
    },
    "hard_tanh_backward": {
        "fa.hard_tanh_backward(grad, x)":
            "array([0., 1., 1., 1., 0.])",
        "fa.hard_tanh_backward(grad, y=y, out=grad)  # from the output, in place":
            "array([0., 1., 1., 1., 0.])",
    },
    "hard_shrink": {
        "fa.hard_shrink(x)":
            "array([-2. ,  0. ,  0. ,  0.7,  2. ])",
        "fa.hard_shrink(x, lambd=0.25)":
            "array([-2. , -0.4,  0. ,  0.7,  2. ])",
        "fa.hard_shrink(x, out=x) is x  # in place":
            "True",
    },
    "hard_shrink_backward": {
        "fa.hard_shrink_backward(grad, x)":
            "array([1., 0., 0., 1., 1.])",
        "fa.hard_shrink_backward(grad, y=y, out=grad)  # from the output, in place":
            "array([1., 0., 0., 1., 1.])",
    },
    "soft_shrink": {
        "fa.soft_shrink(x)":
            "array([-1.5,  0. ,  0. ,  0.2,  1.5])",
        "fa.soft_shrink(x, lambd=0.25)":
            "array([-1.75, -0.15,  0.  ,  0.45,  1.75])",
        "fa.soft_shrink(x, out=x) is x  # in place":
            "True",
    },
    "soft_shrink_backward": {
        "fa.soft_shrink_backward(grad, x)":
            "array([1., 0., 0., 1., 1.])",
        "fa.soft_shrink_backward(grad, y=y, out=grad)  # from the output, in place":
            "array([1., 0., 0., 1., 1.])",
    },
    "tanh_shrink": {
        "fa.tanh_shrink(x)":
            "array([-1.03597242, -0.02005104,  0.        ,  0.09563222,  1.03597242])",
        "fa.tanh_shrink(x, out=x) is x  # in place":
            "True",
    },
    "tanh_shrink_backward": {
        "fa.tanh_shrink_backward(grad, x)":
            "array([0.92934918, 0.14436121, 0.        , 0.36526041, 0.92934918])",
        "fa.tanh_shrink_backward(grad, x, out=grad) is grad  # in place":
            "True",
    },
    "threshold": {
        "fa.threshold(x, 0.1, -0.2)":
            "array([-0.2, -0.2, -0.2,  0.7,  2. ])",
        "fa.threshold(x, 0.1, -0.2, out=x) is x  # in place":
            "True",
    },
    "threshold_backward": {
        "fa.threshold_backward(grad, x, 0.1, -0.2)":
            "array([0., 0., 0., 1., 1.])",
        "fa.threshold_backward(grad, y=y, threshold=0.1, value=-0.2, out=grad)  # from the output, in place":
            "array([0., 0., 0., 1., 1.])",
    },
    "prelu": {
        "fa.prelu(x, 0.25)":
            "array([-0.5, -0.1,  0. ,  0.7,  2. ])",
        "fa.prelu(x, 0.25, out=x) is x  # in place":
            "True",
    },
    "prelu_backward": {
        "d_x":
            "array([0.25, 0.25, 0.25, 1.  , 1.  ])",
        "d_weight":
            "np.float64(-2.4)",
    },
    "squareplus": {
        "fa.squareplus(x)":
            "array([0.41421356, 0.8198039 , 1.        , 1.40948101, 2.41421356])",
        "fa.squareplus(x, b=2.0)":
            "array([0.22474487, 0.53484692, 0.70710678, 1.13898669, 2.22474487])",
        "fa.squareplus(x, out=x) is x  # in place":
            "True",
    },
    "squareplus_backward": {
        "fa.squareplus_backward(grad, x)":
            "array([0.14644661, 0.40194193, 0.5       , 0.66517521, 0.85355339])",
        "fa.squareplus_backward(grad, y=y, out=grad)  # from the output, in place":
            "array([0.14644661, 0.40194193, 0.5       , 0.66517521, 0.85355339])",
    },
    "sparse_plus": {
        "fa.sparse_plus(x)":
            "array([0.    , 0.09  , 0.25  , 0.7225, 2.    ])",
        "fa.sparse_plus(x, out=x) is x  # in place":
            "True",
    },
    "sparse_plus_backward": {
        "fa.sparse_plus_backward(grad, x)":
            "array([0.  , 0.3 , 0.5 , 0.85, 1.  ])",
        "fa.sparse_plus_backward(grad, y=y, out=grad)  # from the output, in place":
            "array([0.  , 0.3 , 0.5 , 0.85, 1.  ])",
    },
    "sparse_sigmoid": {
        "fa.sparse_sigmoid(x)":
            "array([0.  , 0.3 , 0.5 , 0.85, 1.  ])",
        "fa.sparse_sigmoid(x, out=x) is x  # in place":
            "True",
    },
    "sparse_sigmoid_backward": {
        "fa.sparse_sigmoid_backward(grad, x)":
            "array([0. , 0.5, 0.5, 0.5, 0. ])",
        "fa.sparse_sigmoid_backward(grad, y=y, out=grad)  # from the output, in place":
            "array([0. , 0.5, 0.5, 0.5, 0. ])",
    },
    "softcap": {
        "fa.softcap(x, 30.0)":
            "array([-29.92373902,  -9.64538213,   0.        ,   9.64538213,\n        29.92373902])",
        "fa.softcap(x, 30.0, out=x) is x  # in place":
            "True",
    },
    "softcap_backward": {
        "fa.softcap_backward(grad, x, 30.0)":
            "array([0.0050776 , 0.89662956, 1.        , 0.89662956, 0.0050776 ])",
        "fa.softcap_backward(grad, y=y, cap=30.0, out=grad)  # from the output, in place":
            "array([0.0050776 , 0.89662956, 1.        , 0.89662956, 0.0050776 ])",
    },
    "logit": {
        "fa.logit(x)":
            "array([-2.19722458, -1.09861229,  0.        ,  1.09861229,  2.19722458])",
        "fa.logit(x, out=x) is x  # in place":
            "True",
    },
    "logit_backward": {
        "fa.logit_backward(grad, x)":
            "array([11.11111111,  5.33333333,  4.        ,  5.33333333, 11.11111111])",
        "fa.logit_backward(grad, y=y, out=grad)  # from the output, in place":
            "array([11.11111111,  5.33333333,  4.        ,  5.33333333, 11.11111111])",
    },
    "serf": {
        "fa.serf(x)":
            "array([-0.28491497, -0.21274508,  0.        ,  0.61689135,  1.99473933])",
        "fa.serf(x, out=x) is x  # in place":
            "True",
    },
    "serf_backward": {
        "fa.serf_backward(grad, x)":
            "array([-0.12225545,  0.39264389,  0.67304129,  1.03755458,  1.0189317 ])",
        "fa.serf_backward(grad, x, out=grad) is grad  # in place":
            "True",
    },
    "logish": {
        "fa.logish(x)":
            "array([-0.22523351, -0.13496367,  0.        ,  0.35821651,  1.26339133])",
        "fa.logish(x, out=x) is x  # in place":
            "True",
    },
    "logish_backward": {
        "fa.logish_backward(grad, x)":
            "array([-0.07500532,  0.26882754,  0.40546511,  0.60477237,  0.74334363])",
        "fa.logish_backward(grad, x, out=grad) is grad  # in place":
            "True",
    },
    "snake": {
        "fa.snake(x)":
            "array([-1.17317819, -0.24835335,  0.        ,  1.11501643,  2.82682181])",
        "fa.snake(x, a=0.5)":
            "array([-0.58385316, -0.32106099,  0.        ,  0.93515781,  3.41614684])",
        "fa.snake(x, out=x) is x  # in place":
            "True",
    },
    "snake_backward": {
        "fa.snake_backward(grad, x)":
            "array([1.7568025 , 0.28264391, 1.        , 1.98544973, 0.2431975 ])",
        "fa.snake_backward(grad, x, out=grad) is grad  # in place":
            "True",
    },
    "lisht": {
        "fa.lisht(x)":
            "array([1.92805516, 0.15197958, 0.        , 0.42305744, 1.92805516])",
        "fa.lisht(x, out=x) is x  # in place":
            "True",
    },
    "lisht_backward": {
        "fa.lisht_backward(grad, x)":
            "array([-1.10532923, -0.72220448,  0.        ,  1.04868549,  1.10532923])",
        "fa.lisht_backward(grad, x, out=grad) is grad  # in place":
            "True",
    },
    "glu": {
        "fa.glu(x)":
            "array([ 0.62245933, -1.90514825])",
    },
    "glu_backward": {
        "fa.glu_backward(grad, x)":
            "array([ 0.62245933,  0.95257413,  0.23500371, -0.09035332])",
    },
    "swiglu": {
        "fa.swiglu(gate, value)":
            "array([-0.23840584,  0.        ,  5.28478247])",
        "fa.swiglu(gate, value, out=gate) is gate  # in place":
            "True",
    },
    "swiglu_backward": {
        "d_gate":
            "array([-0.09078425,  1.        ,  3.27235275])",
        "d_value":
            "array([-0.23840584,  0.        ,  1.76159416])",
    },
    "geglu": {
        "fa.geglu(gate, value)":
            "array([-0.04550026,  0.        ,  5.86349921])",
        "fa.geglu(gate, value, approximate='tanh')":
            "array([-0.04540231,  0.        ,  5.86379308])",
        "fa.geglu(gate, value, out=gate) is gate  # in place":
            "True",
    },
    "geglu_backward": {
        "d_gate":
            "array([-0.0852318,  1.       ,  3.2556954])",
        "d_value":
            "array([-0.04550026,  0.        ,  1.95449974])",
    },
    "reglu": {
        "fa.reglu(gate, value)":
            "array([0., 0., 6.])",
        "fa.reglu(gate, value, out=gate) is gate  # in place":
            "True",
    },
    "reglu_backward": {
        "d_gate":
            "array([0., 0., 3.])",
        "d_value":
            "array([0., 0., 2.])",
    },
    "softmax": {
        "fa.softmax(x)":
            "array([[0.09003057, 0.24472847, 0.66524096],\n       [0.        , 0.        , 1.        ]])",
        "fa.softmax(x, mask=[True, True, False])":
            "array([[0.26894142, 0.73105858, 0.        ],\n       [0.5       , 0.5       , 0.        ]])",
        "fa.softmax(x, axis=0, out=x) is x  # in place":
            "True",
    },
    "softmax_backward": {
        "fa.softmax_backward(grad, y=y, out=grad)  # from the output, in place":
            "array([ 0.08192507, -0.02203304, -0.05989202])",
    },
    "log_softmax": {
        "fa.log_softmax(np.array([1.0, 2.0, 3.0]))":
            "array([-2.40760596, -1.40760596, -0.40760596])",
        "fa.log_softmax(np.array([30.0, 0.0]))":
            "array([-9.35762297e-14, -3.00000000e+01])",
    },
    "log_softmax_backward": {
        "fa.log_softmax_backward(grad, np.array([1.0, 2.0, 3.0]), out=grad)  # in place":
            "array([ 0.90996943, -0.24472847, -0.66524096])",
    },
    "logsumexp": {
        "fa.logsumexp(x)":
            "array([   3.40760596, 1000.        ])",
        "fa.logsumexp(x, axis=0, keepdims=True)":
            "array([[   1.31326169,    2.12692801, 1000.        ]])",
    },
    "logsumexp_backward": {
        "fa.logsumexp_backward(1.0, x, out=x)  # in place":
            "array([0.09003057, 0.24472847, 0.66524096])",
    },
    "softmin": {
        "fa.softmin(np.array([1.0, 2.0, 3.0]))":
            "array([0.66524096, 0.24472847, 0.09003057])",
    },
    "softmin_backward": {
        "fa.softmin_backward(np.array([1.0, 0.0, 0.0]), y=y)":
            "array([-0.22269543,  0.1628034 ,  0.05989202])",
    },
    "hardmax": {
        "fa.hardmax(np.array([[1.0, 2.0, 3.0], [3.0, 3.0, 1.0]]))":
            "array([[0., 0., 1.],\n       [1., 0., 0.]])",
    },
    "softmax_one": {
        "fa.softmax_one(np.array([1.0, 2.0, 3.0]))":
            "array([0.08714432, 0.23688282, 0.64391426])",
        "fa.softmax_one(np.array([0.0, 0.0, -np.inf]))":
            "array([0.33333333, 0.33333333, 0.        ])",
    },
    "softmax_one_backward": {
        "fa.softmax_one_backward(np.array([1.0, 0.0, 0.0]), y=y)":
            "array([ 0.07955019, -0.02064299, -0.05611347])",
        "d_sink.round(4)":
            "array([[-1.6394],\n       [-1.8622],\n       [-0.1295]])",
    },
    "sparsemax": {
        "fa.sparsemax(np.array([[1.0, 2.0, 3.0], [1.0, 0.5, -3.0]]))":
            "array([[0.  , 0.  , 1.  ],\n       [0.75, 0.25, 0.  ]])",
    },
    "sparsemax_backward": {
        "fa.sparsemax_backward(np.array([1.0, 0.0, 7.0]), y=y)":
            "array([ 0.5, -0.5,  0. ])",
    },
    "entmax15": {
        "fa.entmax15(np.array([[1.0, 2.0, 3.0], [2.0, 2.0, -3.0]]))":
            "array([[0.        , 0.16928109, 0.83071891],\n       [0.5       , 0.5       , 0.        ]])",
    },
    "entmax15_backward": {
        "fa.entmax15_backward(np.array([0.0, 1.0, 0.0]), y=y)":
            "array([ 0.        ,  0.28347335, -0.28347335])",
    },
    "gumbel_softmax": {
        "fa.gumbel_softmax(x, hard=True, rng=0).mean(axis=0).round(1)":
            "array([0.1, 0.3, 0.6])",
        "fa.gumbel_softmax(x, tau=0.5, rng=0, out=x) is x  # in place":
            "True",
    },
    "gumbel_softmax_backward": {
        "fa.gumbel_softmax_backward(np.array([1.0, 0.0]), y=y, tau=0.5)":
            "array([ 0.375, -0.375])",
    },
    "squared_error_and_grad": {
        "float(loss), grad.tolist()":
            "(2.5, [[1.0], [-2.0]])",
    },
    "binary_cross_entropy_with_logits": {
        "fa.binary_cross_entropy_with_logits(logits, labels, reduction='none')":
            "array([1.00000000e+03, 6.93147181e-01])",
        "fa.binary_cross_entropy_with_logits(logits, labels).round(8)":
            "np.float64(500.34657359)",
    },
    "binary_cross_entropy_with_logits_backward": {
        "fa.binary_cross_entropy_with_logits_backward(1.0, logits, labels, out=logits)  # in place":
            "array([-0.5 , -0.25])",
    },
    "binary_cross_entropy_with_logits_and_grad": {
        "round(float(loss), 6), grad.tolist()":
            "(0.693147, [0.25, -0.25])",
    },
    "cross_entropy": {
        "fa.cross_entropy(logits, labels, reduction='none')":
            "array([0.40760596, 1.09861229])",
        "fa.cross_entropy(logits, labels).round(8)":
            "np.float64(0.75310913)",
        "fa.cross_entropy(logits, labels, weight=[4.0, 1.0, 1.0]).round(8)":
            "np.float64(0.96041102)",
    },
    "cross_entropy_backward": {
        "fa.cross_entropy_backward(1.0, np.zeros((2, 3)), labels, weight=[4.0, 1.0, 1.0])  # rows count 1 / 5 and 4 / 5":
            "array([[ 0.06666667,  0.06666667, -0.13333333],\n       [-0.53333333,  0.26666667,  0.26666667]])",
        "fa.cross_entropy_backward(1.0, logits, labels, ignore_index=0, out=logits)  # in place":
            "array([[ 0.09003057,  0.24472847, -0.33475904],\n       [ 0.        ,  0.        ,  0.        ]])",
    },
    "cross_entropy_and_grad": {
        "loss.round(8)":
            "np.float64(0.75310913)",
        "grad":
            "array([[ 0.04501529,  0.12236424, -0.16737952],\n       [-0.33333333,  0.16666667,  0.16666667]])",
        "fa.cross_entropy_and_grad(np.zeros((2, 3)), labels, weight=[4.0, 1.0, 1.0])[0].round(8)":
            "np.float64(1.09861229)",
    },
}
