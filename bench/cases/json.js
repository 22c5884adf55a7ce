// JSON text of 1,000 objects, parsed again and again, then filter, map and sort.
function orders(count) {
  const list = [];
  for (let i = 0; i < count; i++) {
    const tags = ['a' + (i % 5), 'b' + (i % 3)];
    list.push({ id: i, user: 'user' + (i % 97), amount: (i * 7919) % 10007, tags, open: i % 3 === 0 });
  }
  return list;
}

function main(input) {
  const text = JSON.stringify(orders(input.objects));
  let top = [];
  for (let i = 0; i < input.times; i++) {
    top = JSON.parse(text)
      .filter((order) => order.open && order.amount > 100 + i)
      .map((order) => ({ id: order.id, value: order.amount * 2, tag: order.tags.join('-') }))
      .sort((a, b) => b.value - a.value || a.id - b.id);
  }
  return { bytes: text.length, kept: top.length, top: top.slice(0, 3) };
}
