import { expect, it } from "vitest";
import { spreadUp } from "../../src/plots/marks";

it("leaves names where they are while they have room", () => {
  expect(spreadUp([100, 40, 70], 14)).toEqual([100, 40, 70]);
});

it("moves names up until none covers another", () => {
  expect(spreadUp([100, 98, 99], 14)).toEqual([100, 72, 86]);
  expect(spreadUp([50, 50], 10)).toEqual([50, 40]);
});
