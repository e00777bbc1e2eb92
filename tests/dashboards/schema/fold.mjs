// Every object of a schema becomes a definition, and what is the same becomes one; what says nothing about validity goes.
import { readFileSync } from "node:fs";

const SAYS_NOTHING = new Set(["$schema", "default", "definitions", "deprecated", "description"]);
const names = new Map();
const definitions = {};

function fold(schema, name) {
  if (Array.isArray(schema)) return schema.map((one) => fold(one, name));
  if (typeof schema !== "object" || schema === null) return schema;
  const folded = {};
  for (const [key, value] of Object.entries(schema)) {
    if (key === "properties") {
      folded.properties = Object.fromEntries(Object.entries(value).map(([property, one]) => [property, fold(one, property)]));
    } else if (!SAYS_NOTHING.has(key)) {
      folded[key] = fold(value, name);
    }
  }
  return folded.properties ? { $ref: `#/$defs/${define(folded, name)}` } : folded;
}

function define(schema, name) {
  const text = JSON.stringify(schema);
  if (!names.has(text)) {
    let free = name;
    for (let number = 2; free in definitions; number += 1) free = `${name}${number}`;
    names.set(text, free);
    definitions[free] = schema;
  }
  return names.get(text);
}

const schema = fold(JSON.parse(readFileSync(process.argv[2], "utf8")), "board");
const comment = "Derived by schema.sh from @grafana/schema 12.4.11, and 10.4.19 for Prometheus' queries (Apache-2.0)";
console.log(JSON.stringify({ $comment: comment, $schema: "https://json-schema.org/draft/2020-12/schema", ...schema, $defs: definitions }, null, 1));
