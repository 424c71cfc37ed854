extern "C" int cuInit(unsigned) { return 0; }
