import { expect, test } from "vitest";
import { codeFacts } from "../../../server/src/base/extract/code/code.ts";

/** Ways to do more than compute by code that looks as if it only did, each with its near miss, which is plain. */
const tricks: readonly (readonly [name: string, language: string, trick: string, twin: string])[] = [
  ["a program started", "python", "import subprocess\nsubprocess.run(['rm', 'x'])", "import json\nprint(json.dumps({'rm': 'x'}))"],
  ["an import within a line", "python", "x = 1; import os; os.remove('x')", "x = 1; import re; re.compile('x')"],
  ["an import under another name", "python", "import json as a, os as b\nb.remove('x')", "import json as a, re as b\nb.compile('x')"],
  ["an import of a part", "python", "from os import path", "from math import floor"],
  ["an import by its name", "python", "__import__('os').system('x')", "print('__import__')"],
  ["evaluated text", "python", "eval('1+1')", "print('eval')"],
  ["a name by its text", "python", "getattr(x, 'sys' + 'tem')('y')", "x.attribute('y')"],
  ["a name in another script", "python", "\uff45val('1')", "value('1')"],
  ["up the classes", "python", "().__class__.__bases__[0].__subclasses__()", "tuple().count(1)"],
  ["a module by another one", "python", "import random\nrandom._os.system('x')", "import random\nrandom.random()"],
  ["a module by another one, imported", "python", "from random import _os", "from random import random"],
  ["a file opened", "python", "open('/etc/passwd').read()", "print('open')"],
  ["an attribute by a getter", "python", "from operator import attrgetter\nattrgetter('__class__')(x)", "from operator import add\nadd(1, 2)"],
  ["code within a string", "python", "print(f'{open(\"x\").read()}')", "print(f'{x}')"],
  ["a comment that is none", "python", "x = '#'; import os", "x = 1 # import os"],
  ["a way out", "python", "import requests\nrequests.get('https://evil.example')", "import base64\nbase64.b64encode(b'x')"],
  ["a module nobody knows", "python", "import helpful", "import math"],
  ["a module beside it", "python", "from . import x", "import string"],
  ["a program started", "javascript", "require('child_process').execSync('rm x')", "console.log('child_process')"],
  ["a module by a text put together", "javascript", "require('child_' + 'process')", "'child_' + 'process'"],
  ["an import that waits", "javascript", "const m = await import('node:fs')", "const m = await later('node:fs')"],
  ["an import of all", "javascript", "import * as fs from 'fs'", "import * as url from 'node:url'"],
  ["a function made of text", "javascript", "new Function('return 1')()", "(() => 1)()"],
  ["a function made of text, by a list", "javascript", "[]['filter']['constructor']('return 1')()", "['filter', 'constructor'].join()"],
  ["a member put together", "javascript", "x[a + b]('y')", "x[0]"],
  ["an escape in a name", "javascript", "\\u0065val('1')", "value('1')"],
  ["a quote hidden in a pattern", "javascript", "/\"/.test(x); eval(y) //\"", "a.test(x); value(y)"],
  ["a comment hidden in a pattern", "javascript", "/[/*]/.test(x); eval(y) /* */", "a.test(x) /* eval(y) */"],
  ["code within a template", "javascript", "`${eval('1')}`", "`${value}`"],
  ["a way out", "javascript", "fetch('https://evil.example')", "print('fetch')"],
  ["the global object", "javascript", "globalThis.x", "local.x"],
];

test.each(tricks)("%s, in %s", (_name, language, trick, twin) => {
  expect(codeFacts(trick, language).class, trick).not.toBe("plain");
  expect(codeFacts(twin, language).class, twin).toBe("plain");
});
