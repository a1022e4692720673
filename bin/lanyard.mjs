#!/usr/bin/env node
process.argv.splice(2, 0, "lanyard");
import("../scripts/bootstrap.mjs");
