// The key stays in this tab: never in an address, a cookie or longer than the tab. One that is refused is forgotten, not tried again.
const KEY = "plumbline-key";
const heldKey = () => sessionStorage.getItem(KEY);
const credentials = () => (heldKey() ? { authorization: `Bearer ${heldKey()}` } : {});
const keyBox = document.querySelector("#key");
const keyInput = keyBox.querySelector("input");

function tellKey(said = "") {
  keyBox.querySelector("summary").textContent = heldKey() ? "Key in use" : "Key";
  keyBox.querySelector("[type=button]").hidden = !heldKey();
  keyBox.querySelector("p").textContent = said;
}

function refusedKey() {
  if (!heldKey()) return;
  sessionStorage.removeItem(KEY);
  keyBox.open = true;
  tellKey("That key is not valid, or no longer.");
}

async function useKey(key) {
  if (key) sessionStorage.setItem(KEY, key);
  else sessionStorage.removeItem(KEY);
  keyInput.value = "";
  keyBox.open = false;
  tellKey();
  await refresh();
  await route();
}

keyBox.querySelector("form").addEventListener("submit", (event) => {
  event.preventDefault();
  const given = keyInput.value.trim();
  if (/^[\x21-\x7e]+$/.test(given)) useKey(given);
  else tellKey("A key has letters, digits, dashes and underscores only.");
});
keyBox.querySelector("[type=button]").addEventListener("click", () => useKey(null));
tellKey();

// A link cannot send a key, so what it leads to is fetched with it and handed over as a file.
document.addEventListener("click", async (event) => {
  const link = event.target.closest("a[href^='/v1/'], a[href='/metrics']");
  if (!link || !heldKey()) return;
  event.preventDefault();
  const answer = await fetch(link.href, { headers: credentials() });
  const file = URL.createObjectURL(await answer.blob());
  el("a", { href: file, download: new URL(link.href).pathname.split("/").pop() }).click();
  URL.revokeObjectURL(file);
});
