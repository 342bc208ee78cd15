/** Our data routes lie beside this module, under whatever path prefix TensorBoard serves it. */
export function dataBase(): URL {
  return new URL(".", import.meta.url);
}
