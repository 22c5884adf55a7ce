function main(){ let n=0; const o={get x(){ n++; return [1].map(()=>this.x).concat(JSON.stringify({toJSON:()=>this.x})) }}; try { o.x } catch(e){ return [n,e.message] } }
