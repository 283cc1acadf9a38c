export default function Page() { return <p>for each visitor</p> }
