/** The style sheets as one text, in the order in which they stand. */

import uplot from "uplot/dist/uPlot.min.css";
import base from "./base.css";
import beside from "./beside.css";
import controls from "./controls.css";
import factors from "./factors.css";
import findings from "./findings.css";
import layout from "./layout.css";
import notes from "./notes.css";
import numbers from "./numbers.css";
import overview from "./overview.css";
import pages from "./pages.css";
import points from "./points.css";
import problems from "./problems.css";
import projector from "./projector.css";
import search from "./search.css";
import spectrum from "./spectrum.css";
import status from "./status.css";
import steps from "./steps.css";

export const styleSheet: string = [
  uplot,
  base,
  layout,
  controls,
  steps,
  spectrum,
  findings,
  beside,
  factors,
  numbers,
  overview,
  points,
  search,
  projector,
  notes,
  pages,
  problems,
  status,
].join("");
