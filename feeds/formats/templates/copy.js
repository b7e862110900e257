// Shows the buttons that copy an address. Without a clipboard (browsers give none without TLS) they stay hidden.
if (navigator.clipboard) {
  const status = document.getElementById("copied");
  for (const button of document.querySelectorAll("button.copy")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(button.value);
        status.textContent = button.dataset.done;
      } catch {
        status.textContent = "This browser did not let the page copy. Please select the address and copy it.";
      }
    });
  }
}
