import { expect, it } from "vitest";
import { mappingOf } from "./columns";

it("reads which column holds what", () => {
  expect(mappingOf(" ")).toBeNull();
  expect(mappingOf("prompt=question, completion = the answer\nid=a=b")).toEqual({ prompt: "question", completion: "the answer", id: "a=b" });
  for (const wrong of ["prompt", "prompt=", "speech=words"]) expect(() => mappingOf(wrong)).toThrow(/is not one of id/);
});
