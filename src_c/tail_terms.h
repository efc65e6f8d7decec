/* Made by src_c/fit_tables.py; do not edit. */
enum { FAR_TERMS = 7 };
static const float far_tail_terms[FAR_TERMS] = {0x1.9884540000000p-2f, -0x1.9884520000000p-2f, 0x1.32610e0000000p+0f, -0x1.7e5ca00000000p+2f, 0x1.45522c0000000p+5f, -0x1.2b3c300000000p+8f, 0x1.6e2f4a0000000p+10f};
static const float far_slope_terms[FAR_TERMS] = {0x1.9884540000000p-2f, -0x1.9884540000000p-2f, 0x1.98838e0000000p-2f, -0x1.322b040000000p+0f, 0x1.78235c0000000p+2f, -0x1.19a22a0000000p+5f, 0x1.34763c0000000p+7f};
enum { LOG_TERMS = 10 };
static const float log_terms[] = {0x1.0000000000000p+0f, -0x1.0000000000000p-1f, 0x1.5555c60000000p-2f, -0x1.ffff900000000p-3f, 0x1.9960280000000p-3f, -0x1.54fe1e0000000p-3f, 0x1.290c300000000p-3f, -0x1.0d8c480000000p-3f, 0x1.a718580000000p-4f, -0x1.654d2e0000000p-5f};
enum { LOG_REST_TERMS = 5 };
static const float log_rest_terms[] = {0x1.0000000000000p+0f, 0x1.ffffec0000000p-2f, 0x1.555ed40000000p-2f, 0x1.fcb80c0000000p-3f, 0x1.d3f1500000000p-3f};
#define FAR_TAIL_LOG -0x1.e821f20000000p-26f
#define TANH_C0 0x1.9884540000000p+0f
#define TANH_C0_LOW -0x1.8579360000000p-25f
#define TANH_C1 0x1.2444f20000000p-4f
#define TANH_C1_LOW 0x1.49b16a0000000p-29f
