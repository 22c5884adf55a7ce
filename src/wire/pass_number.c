#include "wire/pass.h"

const bool pass_by_number = true;
