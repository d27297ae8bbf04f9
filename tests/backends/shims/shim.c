/* A PKCS#11 module in front of another, which behaves as modules do that are hard to have in a test.
 *
 *   cc -shared -fPIC -o shim.so shim.c -ldl
 *
 * SHIM_MODULE  the module behind; what is not changed goes there as it is
 * SHIM         words, with blanks between:
 *   lists      each caller of C_GetFunctionList gets functions of its own, and has to initialise them: as p11-kit
 *   locking    C_Initialize wants arguments, with CKF_OS_LOCKING_OK
 *   readonly   the token is write-protected, and gives read-only sessions alone
 *   full       no object can be made: CKR_DEVICE_MEMORY
 *   brief      C_Decrypt answers CKR_DEVICE_ERROR to whatever it does not open: as kryoptic
 *   ykcs11     makes no keys and no objects for its user, says CKA_DERIVE false of keys that derive
 *   network    knows no ECDH, makes no keys for its user, holds certificates but no data
 * SHIM_FAIL    NUMBER:VALUE: the call of this number, counted from when the variable was set, returns the value (hex)
 *              and does nothing. NUMBER may be a function's position and an f: 20f:31 is every C_CreateObject.
 * SHIM_DELAY   microseconds that each call takes besides
 * SHIM_COUNT   a file; a line is added for each call: its position in CK_FUNCTION_LIST
 *
 * All are read at each call, so that a process can change them.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef unsigned long U;
typedef U (*F)(U, U, U, U, U, U, U, U, U);
struct list { unsigned char version[2]; F function[68]; };
struct attribute { U type; void *value; U length; };

enum { INITIALIZE = 0, GET_FUNCTION_LIST = 3, TOKEN_INFO = 6, MECHANISMS = 7, OPEN_SESSION = 12, CREATE = 20, GET_ATTRIBUTE = 24,
       DECRYPT = 34, MAKE_PAIR = 59, DERIVE = 62 };
enum { CLASS = 0x00, CKA_DERIVE = 0x10C, DATA = 0, CERTIFICATE = 1, ECDH = 0x1050 };
enum { DEVICE_ERROR = 0x30, CANT_LOCK = 0x0A, DEVICE_MEMORY = 0x31, NOT_SUPPORTED = 0x54, MECHANISM_INVALID = 0x70,
       VALUE_INVALID = 0x13, PROHIBITED = 0x1B, SESSION_READ_ONLY = 0xB5, WRITE_PROTECTED = 0xE2, USER_TYPE_INVALID = 0x103,
       NOT_INITIALIZED = 0x190 };

static struct list *behind, shown, others;

static int is(const char *word) {
    const char *words = getenv("SHIM"), *at = words;
    size_t length = strlen(word);
    for (; at && (at = strstr(at, word)); at += length)
        if ((at == words || at[-1] == ' ') && (at[length] == 0 || at[length] == ' ')) return 1;
    return 0;
}

static U class_of(struct attribute *template, U count) {
    for (U i = 0; i < count; i++)
        if (template[i].type == CLASS) return *(U *)template[i].value;
    return ~0UL;
}

/* What is to be answered in place of the module behind; 0 if nothing is. */
static U refusal(int position, U a, U b, U c) {
    int leaves_making_to_officer = is("ykcs11"), is_network = is("network");
    switch (position) {
    case INITIALIZE: return is("locking") && (!a || !(((U *)a)[4] & 2)) ? CANT_LOCK : 0;
    case OPEN_SESSION: return is("readonly") && (b & 2) ? WRITE_PROTECTED : 0;
    case MAKE_PAIR: return is("full") ? DEVICE_MEMORY : is("readonly") ? SESSION_READ_ONLY
                         : leaves_making_to_officer ? USER_TYPE_INVALID : is_network ? PROHIBITED : 0;
    case CREATE:
        if (is("full")) return DEVICE_MEMORY;
        if (is("readonly")) return SESSION_READ_ONLY;
        if (leaves_making_to_officer) return USER_TYPE_INVALID;
        return is_network && class_of((struct attribute *)b, c) == DATA ? VALUE_INVALID : 0;
    case DERIVE: return is_network ? NOT_SUPPORTED : 0;
    }
    return 0;
}

/* What is changed of the answer of the module behind. */
static U changed(int position, U value, U b, U c, U d) {
    if (position == TOKEN_INFO && !value && is("readonly")) ((U *)(b + 96))[0] |= 2;
    if (position == MECHANISMS && !value && b && is("network")) {
        U *mechanisms = (U *)b, *count = (U *)c, kept = 0;
        for (U i = 0; i < *count; i++)
            if (mechanisms[i] != ECDH) mechanisms[kept++] = mechanisms[i];
        *count = kept;
    }
    if (position == GET_ATTRIBUTE && is("ykcs11")) {
        struct attribute *asked = (struct attribute *)c;
        for (U i = 0; i < d; i++)
            if (asked[i].type == CKA_DERIVE && asked[i].value && asked[i].length == 1) *(char *)asked[i].value = 0;
    }
    return position == DECRYPT && value && is("brief") ? DEVICE_ERROR : value;
}

static U ordered(int position) {
    static char last[64];
    static U number;
    const char *order = getenv("SHIM_FAIL");
    if (!order) order = "";
    if (strcmp(order, last)) { snprintf(last, sizeof last, "%s", order); number = 0; }
    number++;
    char *rest;
    U wanted = strtoul(order, &rest, 10);
    if (rest == order) return 0;
    if (*rest == 'f' ? wanted == (U)position : wanted == number) return strtoul(rest + (*rest == 'f') + 1, 0, 16);
    return 0;
}

static U call(int position, U a, U b, U c, U d, U e, U f, U g, U h, U i) {
    const char *counted = getenv("SHIM_COUNT"), *delay = getenv("SHIM_DELAY");
    if (counted) {
        FILE *file = fopen(counted, "a");
        if (file) { fprintf(file, "%d\n", position); fclose(file); }
    }
    if (delay) usleep(atoi(delay));
    U value = ordered(position);
    if (!value) value = refusal(position, a, b, c);
    return value ? value : changed(position, behind->function[position](a, b, c, d, e, f, g, h, i), b, c, d);
}

#define CALL(n) static U call##n(U a, U b, U c, U d, U e, U f, U g, U h, U i) { return call(n, a, b, c, d, e, f, g, h, i); }
#define TEN(X, t) X(t##0) X(t##1) X(t##2) X(t##3) X(t##4) X(t##5) X(t##6) X(t##7) X(t##8) X(t##9)
#define ALL(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) TEN(X, 1) TEN(X, 2) TEN(X, 3) TEN(X, 4) TEN(X, 5) \
    X(60) X(61) X(62) X(63) X(64) X(65) X(66) X(67)
ALL(CALL)

static U uninitialised(U a, U b, U c, U d, U e, U f, U g, U h, U i) { return NOT_INITIALIZED; }

U C_GetFunctionList(struct list **list) {
    if (behind) {
        *list = is("lists") ? &others : &shown;
        return 0;
    }
    void *module = dlopen(getenv("SHIM_MODULE"), RTLD_NOW);
    U (*get)(struct list **) = module ? (U (*)(struct list **))dlsym(module, "C_GetFunctionList") : 0;
    if (!get || get(&behind)) return 5;
    shown = others = *behind;
#define SHOW(n) shown.function[n] = call##n; others.function[n] = uninitialised;
    ALL(SHOW)
    shown.function[GET_FUNCTION_LIST] = others.function[GET_FUNCTION_LIST] = (F)C_GetFunctionList;
    *list = &shown;
    return 0;
}
